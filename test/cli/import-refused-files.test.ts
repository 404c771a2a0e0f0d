import { gzipSync, zstdCompressSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { mapFile } from '../harness/items/mapped-files.ts'
import { CSV, latin1 } from '../harness/items/small-files.ts'
import { StartError } from '../../src/main/config/start-error.ts'

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
