import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { mapFile } from '../harness/items/mapped-files.ts'
import { HEADER, written, events, objects, CSV, lines, utf16be, latin1, changed } from '../harness/items/small-files.ts'

/** Three rows that are read alike, whatever the file looks like: its name, its content, the options, and how it is read. */
const ALIKE: readonly [string, string, string | Uint8Array, string[]?, string?][] = [
  ['LF', 'a.csv', CSV, [], 'CSV with commas between cells, in utf-8'],
  ['CRLF', 'a.csv', written(',', '\r\n')],
  ['CR alone', 'a.csv', written(',', '\r')],
  [
    'mixed line ends',
    'a.csv',
    lines(CSV)
      .map((line, index) => line + ['\r\n', '\r', '\n', ''][index])
      .join(''),
  ],
  ['no line end at the end', 'a.csv', CSV.trimEnd()],
  ['CR alone and none at the end', 'a.csv', written(',', '\r').trimEnd()],
  ['blank lines', 'a.csv', `\n\n${CSV.replaceAll('\n', '\n\n')}\n`],
  ['semicolons', 'a.csv', written(';'), [], 'CSV with semicolons between cells, in utf-8'],
  ['tabs in a .csv', 'a.csv', written('\t'), [], 'CSV with tabs between cells, in utf-8'],
  ['tabs in a .tsv', 'a.tsv', written('\t')],
  ['vertical bars', 'a.txt', written('|'), [], 'CSV with vertical bars between cells, in utf-8'],
  ['commas in a .tsv', 'a.tsv', CSV, [], 'CSV with commas between cells, in utf-8'],
  ['another delimiter that is given', 'a.csv', written('~'), ['--delimiter', '~'], 'CSV with "~" between cells, in utf-8'],
  ['sep=', 'a.csv', `sep=;\r\n${written(';', '\r\n')}`, [], 'CSV with semicolons between cells, in utf-8'],
  ['sep= of a rare delimiter', 'a.csv', `sep=^\n${written('^')}`, [], 'CSV with "^" between cells, in utf-8'],
  ['sep= with empty cells behind it', 'a.csv', `sep=;;;;\n${written(';')}`],
  ['sep= of a tab that is written out', 'a.csv', `sep=\\t\n${written('\t')}`, [], 'CSV with tabs between cells, in utf-8'],
  ['sep= in quotes', 'a.csv', `"sep=;"\n${written(';')}`],
  ['SEP= after a byte order mark', 'a.csv', `\uFEFFSEP=|\n${written('|')}`],
  ['comments before the header', 'a.csv', `# exported, today\n#\n\n${CSV}`],
  ['sep= and comments', 'a.csv', `sep=,\n# exported\n${CSV}`],
  ['a byte order mark', 'a.csv', `\uFEFF${CSV}`],
  ['UTF-16 little endian', 'a.csv', Buffer.from(`\uFEFF${CSV}`, 'utf16le'), [], 'CSV with commas between cells, in utf-16le'],
  ['UTF-16 big endian', 'a.csv', utf16be(CSV), [], 'CSV with commas between cells, in utf-16be'],
  ['UTF-16 with tabs, as Excel writes it', 'a.txt', Buffer.from(`\uFEFF${written('\t', '\r\n')}`, 'utf16le')],
  ['UTF-16 without a mark', 'a.csv', Buffer.from(CSV, 'utf16le')],
  ['UTF-16 with CR alone', 'a.csv', Buffer.from(`\uFEFF${written(';', '\r')}`, 'utf16le')],
  [
    'Windows-1252 that is given',
    'a.csv',
    latin1(CSV),
    ['--encoding', 'windows-1252'],
    'CSV with commas between cells, in windows-1252',
  ],
  [
    'a mark against another given encoding',
    'a.csv',
    `\uFEFF${CSV}`,
    ['--encoding', 'windows-1252'],
    'CSV with commas between cells, in utf-8',
  ],
  ['every cell in quotes', 'a.csv', written().replaceAll(/[^,\n]+/g, '"$&"')],
  ['blanks before quotes', 'a.csv', CSV.replaceAll(/,([^,\n]+)/g, ', "$1"')],
  ['blanks and tabs around quotes', 'a.csv', CSV.replaceAll(/([^,\n]+)/g, ' \t"$1" ')],
  ['a blank before a quote after a tab', 'a.tsv', written('\t').replaceAll(/\t([^\t\n]+)/g, '\t "$1"')],
  ['blanks around cells, with --trim', 'a.csv', CSV.replaceAll(',', ' , '), ['--trim']],
  ['blanks around names of columns', 'a.csv', changed(0, HEADER.join(' , '))],
  ['a repeated header', 'a.csv', CSV + CSV.split('\n', 1)[0]! + '\n'],
  ['joined files with byte order marks', 'a.csv', `\uFEFF${CSV}\uFEFF${HEADER.join(',')}\n`],
  ['joined files with marks and quotes', 'a.csv', `\uFEFF${CSV}\uFEFF${HEADER.map((name) => `"${name}"`).join(',')}\n`],
  ['blank lines of blanks, and the mark of an old end', 'a.csv', `${CSV.replaceAll('\n', '\n   \n')}\u001A`],
  ['joined gzip files', 'a.csv.gz', Buffer.concat([gzipSync(CSV), gzipSync(`${HEADER.join(',')}\n`)])],
  ['gzip', 'a.csv.gz', gzipSync(CSV), [], 'CSV with commas between cells, in utf-8, compressed with gzip'],
  ['gzip without its name', 'a.csv', gzipSync(CSV), [], 'CSV with commas between cells, in utf-8, compressed with gzip'],
  ['text with the name of gzip', 'a.csv.gz', CSV, [], 'CSV with commas between cells, in utf-8'],
  ['gzip of UTF-16 with semicolons', 'a.dat', gzipSync(Buffer.from(`\uFEFF${written(';', '\r\n')}`, 'utf16le'))],
  ['a name without an ending', 'export', CSV],
  ['short rows that are padded', 'a.csv', `${lines(CSV)[0]},note\n${lines(CSV).slice(1).join('\n')}`, ['--ragged', 'pad']],
  [
    'empty cells at the end, padded',
    'a.csv',
    CSV.replaceAll(/(.)\n(?=2)/g, '$1\n').replaceAll(/(?<=view,\w+|süß)\n/g, ',,\n'),
    ['--ragged', 'pad'],
  ],
  ['unnamed columns', 'a.csv', CSV.replaceAll('\n', ',,\n')],
  ['rows of a spreadsheet without a value', 'a.csv', `${CSV},,,\n,,,\n`],
  ['given names of columns', 'a.csv', lines(CSV).slice(1).join('\n'), ['--columns', HEADER.join(',')]],
  ['given names of columns and a header', 'a.csv', CSV, ['--columns', HEADER.join(',')]],
  ['given names with semicolons', 'a.csv', written(';').split('\n').slice(1).join('\n'), ['--columns', HEADER.join(',')]],
  ['JSON lines', 'a.jsonl', objects.map((each) => JSON.stringify(each)).join('\n'), [], 'JSON lines, in utf-8'],
  ['JSON lines with CRLF', 'a.ndjson', objects.map((each) => `${JSON.stringify(each)}\r\n`).join('')],
  ['JSON lines with CR alone', 'a.ndjson', objects.map((each) => `${JSON.stringify(each)}\r`).join('')],
  ['JSON lines in a .csv', 'a.csv', objects.map((each) => `${JSON.stringify(each)}\n`).join('')],
  ['a JSON array in a .csv', 'a.csv', JSON.stringify(objects)],
  ['a JSON array over lines in a .csv', 'a.csv', JSON.stringify(objects, null, 2)],
  ['CSV in a .json', 'a.json', CSV, [], 'CSV with commas between cells, in utf-8'],
  [
    'a title before the header',
    'a.csv',
    `Report, by us\n\n${written(';')}`,
    ['--skip', '1'],
    'CSV with semicolons between cells, in utf-8',
  ],
  [
    'a title in CSV with CR alone',
    'a.csv',
    `a;b;c\r\r${written(',', '\r')}`,
    ['--skip', '2'],
    'CSV with commas between cells, in utf-8',
  ],
  ['JSON lines in a .txt', 'a.txt', objects.map((each) => `${JSON.stringify(each)}\n`).join('')],
  ['joined JSON lines with byte order marks', 'a.jsonl', objects.map((each) => `\uFEFF${JSON.stringify(each)}\n`).join('')],
  ['a JSON text sequence', 'a.json', objects.map((each) => `\u001E${JSON.stringify(each)}\n`).join('')],
  ['JSON lines in UTF-16', 'a.json', utf16be(objects.map((each) => `${JSON.stringify(each)}\n`).join(''))],
  ['a JSON array in a line', 'a.json', JSON.stringify(objects), [], 'JSON values, in utf-8'],
  ['a JSON array over lines', 'a.json', JSON.stringify(objects, null, 2)],
  ['a JSON array with tabs and CRLF', 'a.json', JSON.stringify(objects, null, '\t').replaceAll('\n', '\r\n')],
  ['a JSON array with a line per object', 'a.json', `[\n${objects.map((each) => JSON.stringify(each)).join(',\n')}\n]\n`],
  ['a JSON array in a .jsonl', 'a.jsonl', JSON.stringify(objects)],
  ['a JSON array with a byte order mark', 'a.json', `\uFEFF${JSON.stringify(objects)}`],
  ['a JSON array in gzip', 'a.json.gz', gzipSync(JSON.stringify(objects))],
  ['JSON objects one after the other', 'a.json', objects.map((each) => JSON.stringify(each)).join('')],
  ['JSON objects over lines', 'a.json', objects.map((each) => JSON.stringify(each, null, 2)).join('\n')],
  ['JSON lines with commas', 'a.json', objects.map((each) => JSON.stringify(each)).join(',\n')],
  ['two JSON arrays', 'a.json', `${JSON.stringify(objects.slice(0, 1))}\n${JSON.stringify(objects.slice(1))}`],
]

test.each(ALIKE)('%s: three rows are read', async (_title, name, content, options = [], reading) => {
  const mapped = await mapFile(name, content, options)
  expect(mapped).toMatchObject({ items: events, duplicates: 0, refused: [] })
  expect(mapped.items).toHaveLength(3)
  if (reading !== undefined) expect(mapped.reading).toBe(`it is read as ${reading}.`)
})

test('quotes may be escaped with backslashes, and backslashes stay what they are elsewhere', async () => {
  const cells = [String.raw`"5\" \\ lamp"`, String.raw`"C:\"`, String.raw`a\"b`, String.raw`"\"\""`]
  const { items, refused } = await mapFile(
    'a.csv',
    [HEADER.join(), ...cells.map((cell) => `2026-03-01,ada,view,${cell}`)].join('\n'),
  )
  expect(items.map((item) => item['ref_id'])).toEqual([String.raw`5" \ lamp`, 'C:\\', String.raw`a\"b`, '""'])
  expect(refused).toEqual([])
})

test('a header row may begin with a bracket', async () => {
  const { items } = await mapFile('a.csv', CSV.replace('occurred_at', '[when]'), [
    '--map',
    'occurred_at=[when]',
    ...HEADER.slice(1).flatMap((name) => ['--map', `${name}=${name}`]),
  ])
  expect(items).toMatchObject(events)
})

test('a given encoding that is hardly right is said', async () => {
  const { reading } = await mapFile('a.csv', CSV, ['--encoding', 'latin1'])
  expect(reading).toBe('it is read as CSV with commas between cells, in windows-1252, although it is valid UTF-8.')
})

test('equal rows have equal ids in all forms of a file', async () => {
  const ids = async (name: string, content: string | Uint8Array, options: string[] = []) =>
    (await mapFile(name, content, options)).items.map((item) => item['event_id'])
  const expected = await ids('a.csv', CSV)
  expect(await ids('a.csv', written(';', '\r'))).toEqual(expected)
  expect(await ids('a.csv', CSV.replaceAll(/,([^,\n]+)/g, ', "$1"'))).toEqual(expected)
  expect(await ids('a.dat', gzipSync(latin1(written('\t'))), ['--encoding', 'latin1'])).toEqual(expected)
  expect(await ids('a.json', JSON.stringify(objects, null, 2))).toEqual(
    await ids('a.jsonl', objects.map((each) => JSON.stringify(each)).join('\n')),
  )
})

test.each(['PARENT_SKU', 'ORCID', 'PAR1', 'BZh9', '%discount', 'Obj', 'PK'])(
  'a header row may begin with %s, as other files do',
  async (name) => {
    const { items } = await mapFile('a.csv', CSV.replaceAll(/^(?=.)/gm, 'x,').replace('x', name))
    expect(items).toMatchObject(events)
  },
)
