import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createRefusals } from '../../src/cli/import/refusals.ts'
import { jsonValueRows } from '../../src/cli/import/source/json-values.ts'
import { linesOf, linesIn } from '../../src/cli/import/source/line.ts'
import { createDecoder, WRONG_BYTES } from '../../src/cli/import/source/text-decoder.ts'
import { type BrokenRow, isBroken, RECORD_CHARACTERS_MAX, type Row } from '../../src/cli/import/source/row.ts'

/** The bytes of a text, cut into chunks of the given size: records, characters and line ends fall apart. */
async function* chunksOf(text: string, size: number): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text)
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

async function jsonRows(text: string, size: number): Promise<(Row | BrokenRow)[]> {
  const rows: (Row | BrokenRow)[] = []
  for await (const chunk of jsonValueRows(chunksOf(text, size), 'utf-8')) rows.push(...chunk)
  return rows
}

const text = fc.string({
  unit: fc.constantFrom('a', 'é', '😀', '\uFFFD', '"', '\\', '{', '}', '[', ']', ',', ':', '\n', '\r', ' '),
  maxLength: 8,
})
const value = fc.letrec((tie) => ({
  any: fc.oneof(
    { depthSize: 'small' },
    text,
    fc.integer(),
    fc.constantFrom(null, true, 1.5),
    fc.array(tie('any'), { maxLength: 3 }),
    fc.dictionary(text, tie('any'), { maxKeys: 3 }),
  ),
})).any
const objects = fc.array(fc.record({ id: fc.nat(), value }), { minLength: 1, maxLength: 6 })

const FORMS: ((written: string[], indent: string) => string)[] = [
  (written) => `[${written.join(',')}]`,
  (written) => `[\n${written.join(',\n')}\n]\n`,
  (written) => `[${written.join('\r\n,')}]`,
  (written) => written.join('\n'),
  (written) => written.join(''),
]

test('every list of objects is read alike in every form, in chunks of every size', async () => {
  const indent = fc.constantFrom(undefined, 2, '\t')
  await fc.assert(
    fc.asyncProperty(
      objects,
      fc.constantFrom(...FORMS),
      indent,
      fc.integer({ min: 1, max: 60 }),
      async (objects, form, indent, size) => {
        const written = form(
          objects.map((each) => JSON.stringify(each, null, indent)),
          '',
        )
        const rows = await jsonRows(written, size)
        expect(rows.map((row) => (isBroken(row) ? row : row.cells))).toEqual(
          JSON.parse(JSON.stringify(objects.map(({ id, value }) => [id, value]))),
        )
      },
    ),
  )
})

test('an array that is not closed is read to its end, which is reported', async () => {
  await fc.assert(
    fc.asyncProperty(
      objects,
      fc.constantFrom(...FORMS.slice(0, 3)),
      fc.integer({ min: 1, max: 60 }),
      async (objects, form, size) => {
        const list = objects.map((each) => JSON.stringify(each))
        const rows = await jsonRows(form(list, '').replace(/\]\s*$/, ''), size)
        expect(rows.map((row) => (isBroken(row) ? row.reason : row.cells[0]))).toEqual([
          ...objects.map(({ id }) => id),
          'the JSON array is not closed, so the file seems to be cut off here',
        ])
      },
    ),
  )
})

test('a broken object costs itself alone, in an array with a line for each and in one without lines', async () => {
  const plain = fc.array(
    fc.record({
      id: fc.nat(),
      name: fc.stringMatching(/^[a-z]{1,8}$/),
      tags: fc.array(fc.stringMatching(/^[a-z]{1,3}$/), { maxLength: 3 }),
    }),
    { minLength: 3, maxLength: 8 },
  )
  const damages: ((object: string) => string)[] = [
    (object) => object.replace('"name":"', '"name":'),
    (object) => object.replace(/"(?=,"tags)/, ''),
    (object) => object.replace('[', ''),
    (object) => object.replace(']', ''),
    (object) => object.slice(0, -1),
    (object) => object.replace('"name":', '"name"'),
    (object) => object.slice(0, object.indexOf('"tags"') + 3),
  ]
  await fc.assert(
    fc.asyncProperty(
      plain,
      fc.nat(),
      fc.constantFrom(...damages),
      fc.constantFrom(...FORMS.slice(0, 2)),
      fc.integer({ min: 1, max: 60 }),
      async (objects, place, damage, form, size) => {
        // The first object shows how the others start.
        const broken = 1 + (place % (objects.length - 1))
        const written = form(
          objects.map((each, index) => (index === broken ? damage(JSON.stringify(each)) : JSON.stringify(each))),
          '',
        )
        const rows = await jsonRows(written, size)
        expect(rows.filter((row): row is Row => !isBroken(row)).map((row) => row.cells[0])).toEqual(
          objects.filter((_each, index) => index !== broken).map(({ id }) => id),
        )
        expect(rows.filter(isBroken).length).toBeGreaterThan(0)
      },
    ),
  )
})

test('lines end alike in chunks of every size', async () => {
  const texts = fc.string({ unit: fc.constantFrom('a', 'é', '\r', '\n', '\r\n') })
  await fc.assert(
    fc.asyncProperty(texts, fc.integer({ min: 1, max: 9 }), async (text, size) => {
      const lines = []
      for await (const chunk of linesOf(chunksOf(text, size), 'utf-8')) lines.push(...chunk)
      expect(lines).toEqual(linesIn(text))
      expect(lines.map(({ text, end }) => text + end).join('')).toBe(text)
      expect(lines.map(({ text }) => text)).toEqual(text === '' ? [] : text.replace(/(?:\r\n|\r|\n)$/, '').split(/\r\n|\r|\n/))
    }),
  )
})

test('a line and a record without an end are not kept', async () => {
  async function* endless(start: string, chunks: number) {
    yield Buffer.from(start)
    for (let index = 0; index < chunks; index++) yield Buffer.alloc(64 * 1024, 'x')
  }
  const kept: number[] = []
  for await (const lines of linesOf(endless('a', 40), 'utf-8')) kept.push(...lines.map(({ text }) => text.length))
  expect(kept).toEqual(
    [RECORD_CHARACTERS_MAX + 1 + 64 * 1024].map((most) => expect.toSatisfy((length: number) => length <= most)),
  )
  const rows = []
  for await (const chunk of jsonValueRows(endless('[{"a":"', 40), 'utf-8')) rows.push(...chunk)
  expect(rows).toEqual([
    {
      line: 1,
      reason: `is longer than ${RECORD_CHARACTERS_MAX} characters`,
      text: expect.toSatisfy((text: string) => text.length < RECORD_CHARACTERS_MAX * 2),
    },
  ])
})

test('refused rows are counted by reason, with the first value', () => {
  const refusals = createRefusals()
  refusals.add(
    ['1.2.26', '2.2.26'].map((time) => ({ field: 'occurred_at', reason: `${JSON.stringify(time)} is not a time (hint)` })),
  )
  refusals.add([{ field: null, reason: 'is not JSON' }])
  expect(refusals.lines(2)).toEqual(['2 × occurred_at: "1.2.26" is not a time (hint)', '1 × is not JSON'])
  expect(refusals.lines(1)).toHaveLength(1)
})

test('a written U+FFFD stays, and wrong bytes are told from it, in chunks of every size', () => {
  const WRONG = Buffer.from([0xff])
  const unit = fc.constantFrom<Buffer | string>('a', 'é', '😀', '\uFFFD', '\uFEFF', WRONG)
  fc.assert(
    fc.property(fc.array(unit, { maxLength: 12 }), fc.boolean(), fc.integer({ min: 1, max: 20 }), (units, hasMark, size) => {
      const bytes = Buffer.concat([hasMark ? '\uFEFF' : '', 'x', ...units].map((part) => Buffer.from(part)))
      const decode = createDecoder('utf-8')
      let text = ''
      for (let at = 0; at < bytes.length; at += size) text += decode(bytes.subarray(at, at + size))
      text += decode()
      expect(text).toBe(`x${units.map((part) => (typeof part === 'string' ? part : WRONG_BYTES)).join('')}`)
    }),
  )
})
