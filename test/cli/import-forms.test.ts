import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { mapFile } from '../harness/items/mapped-files.ts'

const COLUMNS = ['event_id', 'occurred_at', 'account_id', 'event_type', 'ref_id', 'metadata.price']

/** An event, as it should arrive. */
interface Event {
  event_id: string
  ms: number
  account_id: string
  event_type: string
  ref_id: string
  cents: number
}

/** Texts that Windows-1252 has too. A price is never negative. */
const id = fc
  .string({
    unit: fc.constantFrom('a', 'Z', '7', 'ä', 'ß', '€', ' ', ',', ';', '|', '\t', '"', "'", '#', '\\', '{', '[', '/'),
    minLength: 1,
    maxLength: 12,
  })
  .filter((text) => text.trim() === text && text !== '.' && text !== '..')
const event = fc.record<Event>({
  event_id: fc.uuid(),
  // Whole seconds, because spreadsheets and RFC 2822 have no finer ones.
  ms: fc.integer({ min: Date.UTC(2001) / 1_000, max: Date.UTC(2068) / 1_000 }).map((seconds) => seconds * 1_000),
  account_id: id,
  event_type: fc.constantFrom('view', 'purchase'),
  ref_id: id,
  cents: fc.integer({ min: 0, max: 99_999_999 }),
})

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const two = (number: number) => String(number).padStart(2, '0')
const clock = (date: Date) => `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())}`
const half = (date: Date) =>
  `${date.getUTCHours() % 12 || 12}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())} ${date.getUTCHours() < 12 ? 'AM' : 'PM'}`

/** How a time is written, and the options with which it is read. */
const TIMES: Record<string, [(date: Date) => string, string[]]> = {
  iso: [(date) => date.toISOString(), []],
  blank: [(date) => `${date.toISOString().slice(0, 10)} ${clock(date)}`, []],
  offset: [(date) => new Date(date.getTime() - 5.5 * 3_600_000).toISOString().replace('Z', '-05:30'), []],
  german: [
    (date) => `${date.getUTCDate()}.${date.getUTCMonth() + 1}.${date.getUTCFullYear()} ${clock(date)}`,
    ['--time-format', 'dmy'],
  ],
  british: [
    (date) => `${two(date.getUTCDate())}/${two(date.getUTCMonth() + 1)}/${date.getUTCFullYear()} ${half(date)}`,
    ['--time-format', 'dmy'],
  ],
  american: [
    (date) => `${date.getUTCMonth() + 1}/${date.getUTCDate()}/${String(date.getUTCFullYear()).slice(2)} ${half(date)}`,
    ['--time-format', 'mdy'],
  ],
  rfc2822: [(date) => date.toUTCString(), []],
  named: [(date) => `${MONTHS[date.getUTCMonth()]} ${date.getUTCDate()}, ${date.getUTCFullYear()} ${clock(date)}`, []],
  compact: [(date) => date.toISOString().replaceAll(/[-:]|\.\d+/g, ''), []],
  seconds: [(date) => String(date.getTime() / 1_000), []],
  milliseconds: [(date) => String(date.getTime()), []],
  microseconds: [(date) => `${date.getTime()}000`, []],
  nanoseconds: [(date) => `${date.getTime()}000000`, []],
  excel: [(date) => (date.getTime() / 86_400_000 + 25_569).toFixed(9), ['--time-format', 'excel']],
}

const grouped = (whole: string, separator: string) => whole.replaceAll(/\B(?=(?:\d{3})+$)/g, separator)
const parts = (cents: number) => [String(Math.floor(cents / 100)), two(cents % 100)] as const
/** How a price is written, and the options with which it is read. */
const NUMBERS: Record<string, [(cents: number) => string, string[]]> = {
  plain: [(cents) => parts(cents).join('.'), []],
  comma: [(cents) => parts(cents).join(','), ['--decimal', ',']],
  german: [(cents) => `${grouped(parts(cents)[0], '.')},${parts(cents)[1]}`, ['--decimal', ',']],
  french: [(cents) => `${grouped(parts(cents)[0], '\u00A0')},${parts(cents)[1]}`, ['--decimal', ',']],
  american: [(cents) => `${grouped(parts(cents)[0], ',')}.${parts(cents)[1]}`, ['--decimal', '.']],
}

const quoted = (cell: string) => `"${cell.replaceAll('"', '""')}"`
const plainUnlessNeeded = (delimiter: string) => (cell: string) =>
  /["\r\n]/.test(cell) || cell.includes(delimiter) ? quoted(cell) : cell
const objectsOf = (table: string[][]) => table.map((row) => Object.fromEntries(row.map((cell, index) => [COLUMNS[index]!, cell])))

/** How a table of texts is written as CSV or JSON. */
const csvForm = fc.record({
  delimiter: fc.constantFrom(',', ';', '\t', '|'),
  end: fc.constantFrom('\n', '\r\n', '\r'),
  quotes: fc.constantFrom('all', 'needed', 'spaced'),
  preamble: fc.constantFrom('', 'sep', '# note, by us'),
  hasEnd: fc.boolean(),
  repeats: fc.boolean(),
})
type CsvForm = typeof csvForm extends fc.Arbitrary<infer T> ? T : never

function csvOf(table: string[][], { delimiter, end, quotes, preamble, hasEnd, repeats }: CsvForm): string {
  const write = quotes === 'needed' ? plainUnlessNeeded(delimiter) : quoted
  const rows = [COLUMNS, ...table, ...(repeats ? [COLUMNS] : [])].map((row) =>
    row.map(write).join(quotes === 'spaced' ? `${delimiter} ` : delimiter),
  )
  const first = preamble === 'sep' ? [`sep=${delimiter}`] : preamble === '' ? [] : [preamble]
  return [...first, ...rows].join(end) + (hasEnd ? end : '')
}

const JSON_FORMS: Record<string, (table: string[][]) => string> = {
  lines: (table) =>
    objectsOf(table)
      .map((object) => JSON.stringify(object))
      .join('\n'),
  array: (table) => JSON.stringify(objectsOf(table)),
  pretty: (table) => JSON.stringify(objectsOf(table), null, 2),
  rows: (table) =>
    `[\r\n${objectsOf(table)
      .map((object) => JSON.stringify(object))
      .join(',\r\n')}\r\n]`,
  stream: (table) =>
    objectsOf(table)
      .map((object) => JSON.stringify(object, null, '\t'))
      .join('\n'),
}

const CP1252_EURO = 0x80
const ENCODINGS: Record<string, [(text: string) => Buffer, string[]]> = {
  utf8: [(text) => Buffer.from(text), ['--encoding', 'utf-8']],
  mark: [(text) => Buffer.from(`\uFEFF${text}`), []],
  utf16le: [(text) => Buffer.from(`\uFEFF${text}`, 'utf16le'), []],
  utf16be: [(text) => Buffer.from(`\uFEFF${text}`, 'utf16le').swap16(), []],
  windows: [
    (text) => Buffer.from(Array.from(text, (character) => (character === '€' ? CP1252_EURO : character.charCodeAt(0)))),
    ['--encoding', 'windows-1252'],
  ],
}

test('events import alike in every dialect, encoding, compression and form of times and numbers', async () => {
  const keys = (forms: object) => fc.constantFrom(...Object.keys(forms))
  const written = fc.record({
    csv: fc.option(csvForm),
    json: keys(JSON_FORMS),
    encoding: keys(ENCODINGS),
    time: keys(TIMES),
    number: keys(NUMBERS),
    isCompressed: fc.boolean(),
    name: fc.constantFrom('a', 'a.txt', 'a.dat.gz'),
  })
  const events = fc.uniqueArray(event, { minLength: 1, maxLength: 8, selector: (each) => each.event_id })
  await fc.assert(
    fc.asyncProperty(events, written, async (events, form) => {
      const [time, timeOptions] = TIMES[form.time]!
      const [number, numberOptions] = NUMBERS[form.number]!
      const [encode, encodingOptions] = ENCODINGS[form.encoding]!
      const table = events.map((each) => [
        each.event_id,
        time(new Date(each.ms)),
        each.account_id,
        each.event_type,
        each.ref_id,
        number(each.cents),
      ])
      const bytes = encode(form.csv === null ? JSON_FORMS[form.json]!(table) : csvOf(table, form.csv))
      const mapped = await mapFile(form.name, form.isCompressed ? gzipSync(bytes) : bytes, [
        ...timeOptions,
        ...numberOptions,
        ...encodingOptions,
      ])
      expect(mapped.refused).toEqual([])
      expect(mapped.items).toEqual(
        events.map(({ ms, cents, ...each }) => ({
          ...each,
          occurred_at: new Date(ms).toISOString(),
          ref_type: 'Product',
          metadata: { price: cents / 100 },
        })),
      )
    }),
    { numRuns: 300 },
  )
})
