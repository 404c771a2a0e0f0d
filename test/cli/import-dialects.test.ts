import { gzipSync, zstdCompressSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { mapFile } from '../harness/items/mapped-files.ts'
import { StartError } from '../../src/main/config/start-error.ts'

const HEADER = ['occurred_at', 'account_id', 'event_type', 'ref_id']
const ROWS = [
  ['2026-03-01 12:00:00', 'ada', 'view', 'lamp'],
  ['2026-03-01 12:00:01', 'ben', 'view', 'desk'],
  ['2026-03-01 12:00:02', 'cleo', 'purchase', 'süß'],
]
const written = (delimiter = ',', end = '\n', rows = ROWS) => [HEADER, ...rows].map((row) => row.join(delimiter) + end).join('')
const events = ROWS.map(([time, account_id, event_type, ref_id]) => ({
  occurred_at: `${time!.replace(' ', 'T')}.000Z`,
  account_id,
  event_type,
  ref_id,
}))
const objects = ROWS.map((row) => Object.fromEntries(row.map((cell, index) => [HEADER[index]!, cell])))
const CSV = written()
const lines = (text: string) => text.trimEnd().split('\n')
const utf16be = (text: string) => Buffer.from(`\uFEFF${text}`, 'utf16le').swap16()
const latin1 = (text: string) => Buffer.from(text, 'latin1')
const changed = (index: number, line: string) => lines(CSV).with(index, line).join('\n')

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

const json = objects.map((each) => JSON.stringify(each))
/** Files with rows that are refused: the accepted products, and the line and reason of each refused row. */
const DIRTY: readonly [string, string, string | Uint8Array, string[], string[], [number, string][]][] = [
  ['a short row', 'a.csv', changed(2, 'x,y'), [], ['lamp', 'süß'], [[3, 'has 2 cells and not 4 (see --ragged)']]],
  [
    'a long row',
    'a.csv',
    changed(2, `${lines(CSV)[2]},more`),
    [],
    ['lamp', 'süß'],
    [[3, 'has 5 cells and not 4 (see --ragged)']],
  ],
  [
    'a long row that is padded',
    'a.csv',
    changed(2, `${lines(CSV)[2]},more`),
    ['--ragged', 'pad'],
    ['lamp', 'süß'],
    [[3, 'has 5 cells and not 4 (see --ragged)']],
  ],
  [
    'a short row that is padded',
    'a.csv',
    changed(2, '2026-03-01,ben'),
    ['--ragged', 'pad'],
    ['lamp', 'süß'],
    [[3, 'no rule gives event_type a value']],
  ],
  [
    'a comment after the header',
    'a.csv',
    changed(2, '# note'),
    [],
    ['lamp', 'süß'],
    [[3, 'has 1 cells and not 4 (see --ragged)']],
  ],
  ['a stray quote', 'a.csv', changed(2, `"${lines(CSV)[2]}`), [], ['lamp', 'süß'], [[3, 'has a quote that is never closed']]],
  [
    'a stray quote with CR alone',
    'a.csv',
    changed(2, `"${lines(CSV)[2]}`).replaceAll('\n', '\r'),
    [],
    ['lamp', 'süß'],
    [[3, 'has a quote that is never closed']],
  ],
  [
    'text after a quote',
    'a.csv',
    changed(2, '2026-03-01,"b"en,view,desk'),
    [],
    ['lamp', 'süß'],
    [[3, 'has text between a closing quote and the next cell']],
  ],
  ['a quoted word after a blank', 'a.csv', changed(2, '2026-03-01,ben,view, "big" desk'), [], ['lamp', ' "big" desk', 'süß'], []],
  [
    'a wrong byte among valid ones',
    'a.csv',
    Buffer.concat([Buffer.from(CSV), latin1('2026-03-01,é,view,x\n')]),
    ['--encoding', 'utf-8'],
    ['lamp', 'desk', 'süß'],
    [[5, 'has bytes that are not of its encoding (files of Windows programs often need --encoding windows-1252)']],
  ],
  [
    'fewer wrong bytes than valid characters',
    'a.csv',
    Buffer.concat([Buffer.from(CSV), latin1('2026-03-01,é,view,x\n')]),
    [],
    ['lamp', 'desk', 'süß'],
    [[5, 'has bytes that are not of its encoding (files of Windows programs often need --encoding windows-1252)']],
  ],
  [
    'a JSON array that is not closed',
    'a.json',
    JSON.stringify(objects).slice(0, -1),
    [],
    ['lamp', 'desk', 'süß'],
    [[1, 'the JSON array is not closed, so the file seems to be cut off here']],
  ],
  ['a written U+FFFD', 'a.csv', changed(2, '2026-03-01,b\uFFFDn,view,de\uFFFDsk'), [], ['lamp', 'de\uFFFDsk', 'süß'], []],
  [
    'a title of one cell',
    'a.csv',
    `Report\n${CSV}`,
    [],
    [],
    [2, 3, 4, 5].map((line) => [line, 'has 4 cells and not 1 (see --skip for lines before the header row, and --ragged)']),
  ],
  [
    'a number that JSON does not have',
    'a.jsonl',
    [json[0], json[1]!.replace('"ben"', 'NaN'), json[2]!.replace('süß', ' NaN,')].join('\n'),
    [],
    ['lamp', ' NaN,'],
    [[2, 'is not JSON (NaN and Infinity are no values of JSON: write null)']],
  ],
  [
    'a JSON line that is cut',
    'a.jsonl',
    [json[0], json[1]!.slice(0, -9), json[2]].join('\n'),
    [],
    ['lamp', 'süß'],
    [[2, 'is not JSON']],
  ],
  [
    'a first JSON line that is cut',
    'a.jsonl',
    [json[0]!.slice(0, -9), json[1], json[2]].join('\n'),
    [],
    ['desk', 'süß'],
    [[1, 'is not JSON']],
  ],
  [
    'a JSON line that is no object',
    'a.jsonl',
    [json[0], '[1]', '7', json[2]].join('\n'),
    [],
    ['lamp', 'süß'],
    [
      [2, 'is not a JSON object'],
      [3, 'is not a JSON object'],
    ],
  ],
  [
    'a stray quote in an array with lines',
    'a.json',
    `[\n${json.join(',\n').replace('"ben"', '"ben')}\n]`,
    [],
    ['lamp', 'süß'],
    [[3, 'is not JSON']],
  ],
  [
    'a stray quote in an array in a line',
    'a.json',
    `[${json.join(',').replace('"ben"', '"ben')}]`,
    [],
    ['lamp', 'süß'],
    [[1, 'is not JSON']],
  ],
  [
    'a stray quote in a pretty array',
    'a.json',
    JSON.stringify(objects, null, 2).replace('"ben"', '"ben'),
    [],
    ['lamp', 'süß'],
    [[8, 'is not JSON']],
  ],
  [
    'a missing brace in an array with lines',
    'a.json',
    `[\n${json[0]},\n${json[1]!.slice(0, -1)},\n${json[2]}\n]`,
    [],
    ['lamp', 'süß'],
    [[3, 'is not JSON']],
  ],
  [
    'a missing brace in an array in a line',
    'a.json',
    `[${json[0]},${json[1]!.slice(0, -1)},${json[2]}]`,
    [],
    ['lamp', 'süß'],
    [[1, 'is not JSON']],
  ],
  ['a wrong bracket', 'a.json', `[${json[0]},${json[1]!.slice(0, -1)}],${json[2]}]`, [], ['lamp', 'süß'], [[1, 'is not JSON']]],
  [
    'a missing colon',
    'a.json',
    `[${json[0]},${json[1]!.replace(':', ' ')},${json[2]}]`,
    [],
    ['lamp', 'süß'],
    [[1, 'is not JSON']],
  ],
  [
    'values of an array that are no objects',
    'a.json',
    `[${json[0]}, 7, "a,}b", null, ${json[2]}]`,
    [],
    ['lamp', 'süß'],
    [
      [1, 'is not a JSON object'],
      [1, 'is not a JSON object'],
      [1, 'is not a JSON object'],
    ],
  ],
  ['an array that is cut', 'a.json', JSON.stringify(objects).slice(0, -12), [], ['lamp', 'desk'], [[1, 'is not JSON']]],
  [
    'a pretty array that is cut',
    'a.json',
    JSON.stringify(objects, null, 1).slice(0, -12),
    [],
    ['lamp', 'desk'],
    [[14, 'is not JSON']],
  ],
  [
    'an endless record in an array',
    'a.json',
    `[${json[0]},{"x":"${'y'.repeat(600_000)}"},\n${json[2]}]`,
    [],
    ['lamp', 'süß'],
    [[1, 'is longer than 262144 characters']],
  ],
  ['an endless line', 'a.csv', changed(2, 'x'.repeat(600_000)), [], ['lamp', 'süß'], [[3, 'is longer than 262144 characters']]],
  [
    'an endless line that ends with CR',
    'a.csv',
    changed(2, 'x'.repeat(600_000)).replaceAll('\n', '\r'),
    [],
    ['lamp', 'süß'],
    [[3, 'is longer than 262144 characters']],
  ],
  ['an empty file', 'a.csv', '', [], [], []],
  ['a header alone', 'a.csv', `${HEADER.join(';')}\r`, [], [], []],
  ['an empty array', 'a.json', '[]', [], [], []],
]

test.each(DIRTY)('%s costs its own row alone', async (_title, name, content, options, products, refused) => {
  const mapped = await mapFile(name, content, options)
  expect(mapped.items.map((item) => item['ref_id'])).toEqual(products)
  expect(mapped.refused.map(({ line, reason }) => [line, reason])).toEqual(refused)
})

const zipped = (name: string) =>
  Buffer.concat([Buffer.from('PK\u0003\u0004'), Buffer.alloc(26), Buffer.from(name), Buffer.alloc(40)])

test.each<[string, string, string | Uint8Array, string, string[]?]>([
  ['a zip archive', 'a.zip', zipped('a.csv'), 'is a zip archive: unpack it with unzip and import the files in it.'],
  ['a zip archive that is called .gz', 'a.csv.gz', zipped('a.csv'), 'is a zip archive: unpack it with unzip'],
  ['a workbook', 'a.xlsx', zipped('[Content_Types].xml'), 'is a workbook of a spreadsheet: save the sheet as "CSV UTF-8"'],
  ['a workbook that is called .csv', 'a.csv', zipped('xl/workbook.xml'), 'is a workbook of a spreadsheet'],
  ['a workbook of Excel 97', 'a.xls', Buffer.from([0xd0, 0xcf, 0x11, 0xe0, 0, 0]), 'is a file of Excel 97: save the sheet'],
  ['bzip2', 'a.csv.bz2', 'BZh91AY&SY', 'is compressed with bzip2: decompress it with bunzip2'],
  ['zstd', 'a.csv.zst', zstdCompressSync(CSV), 'is compressed with zstd: decompress it with zstd -d'],
  ['encrypted Parquet', 'a.parquet', 'PARE\u0015\u0000', 'is an encrypted Parquet file: write it without encryption.'],
  ['gzip twice', 'a.csv.gz', gzipSync(gzipSync(CSV)), 'is compressed twice with gzip'],
  ['a zip archive in gzip', 'a.csv.gz', gzipSync(zipped('a.csv')), 'is a zip archive'],
  [
    'a tar archive in gzip',
    'a.tar.gz',
    gzipSync(Buffer.concat([Buffer.alloc(257), Buffer.from('ustar'), Buffer.alloc(300)])),
    'is a tar archive',
  ],
  ['a page of a login', 'a.csv', '<!DOCTYPE html><html>', 'is a file of HTML or XML'],
  ['XML after a byte order mark', 'a.csv', '\uFEFF<?xml version="1.0"?>', 'is a file of HTML or XML'],
  ['damaged gzip', 'a.csv.gz', gzipSync(CSV).with(12, 255).with(13, 255), 'is not a gzip file, or it is damaged'],
  ['zeros', 'a.csv', Buffer.alloc(1_000), 'is no text'],
  ['UTF-32', 'a.csv', Buffer.from([0xff, 0xfe, 0, 0, 0x61, 0, 0, 0]), 'is UTF-32: convert it with iconv'],
  [
    'Windows-1252 without its name',
    'a.csv',
    latin1(CSV),
    'a.csv is not UTF-8: give its encoding. With --encoding windows-1252, the encoding of most Windows programs in Western Europe, a part of it reads "0:02,cleo,purchase,süß"',
  ],
  ['no line end', 'a.csv', 'x'.repeat(300_000), 'the header row is longer than 262144 characters (is it CSV?)'],
  [
    'a name twice',
    'a.csv',
    'a,b,a\n1,2,3\n',
    'the header row has "a" twice (name the columns with --columns, and leave out this row with --skip)',
  ],
  [
    'two lists',
    'a.json',
    '{"a":[{"x":1}],"b":[{"y":1}],"occurred_at":"2026-03-01"}',
    'a[].x and b[].y are in two lists',
    ['--map', 'ref_id=a[].x', '--map', 'account_id=b[].y', '--set', 'event_type=view', '--map', 'occurred_at=occurred_at'],
  ],
])('%s is refused with one sentence', async (_title, name, content, sentence, options = []) => {
  const refused = mapFile(name, content, options)
  await expect(refused).rejects.toThrow(sentence)
  await expect(refused).rejects.toThrow(StartError)
})
