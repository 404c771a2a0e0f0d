import { join } from 'node:path'
import { expect, test } from 'vitest'
import {
  type ArchivePlace,
  archiveFormatOf,
  archivePlaceOf,
  archivesLog,
  archivesMetrics,
} from '../../src/main/config/archive.ts'
import { readConfig } from '../../src/main/config/config.ts'

const HOME = '/var/footfall'
const configOf = (env: Record<string, string>) => readConfig({ FOOTFALL_HOME: HOME, AWS_REGION: 'eu-central-1', ...env })
const placeOf = (place: string) => archivePlaceOf(configOf({ ARCHIVE: place }))
const bucket = (changes: object = {}) => ({ bucket: 'shop', prefix: '', region: undefined, endpoint: undefined, ...changes })

test('without settings the metrics go to the folder of FOOTFALL_HOME, and the log is not archived', () => {
  const config = configOf({})
  expect(archivePlaceOf(config)).toEqual({ folder: join(HOME, 'archive') })
  expect([archivesMetrics(config), archivesLog(config), archiveFormatOf(config)]).toEqual([true, false, 'jsonl.gz'])
  const other = configOf({ ARCHIVE_METRICS: 'off', ARCHIVE_LOG: 'on', ARCHIVE_FORMAT: 'parquet' })
  expect([archivesMetrics(other), archivesLog(other), archiveFormatOf(other)]).toEqual([false, true, 'parquet'])
})

test.each<[string, ArchivePlace]>([
  ['/srv/archive', { folder: '/srv/archive' }],
  ['archive', { folder: 'archive' }],
  ['./a b/ü', { folder: './a b/ü' }],
  ['s3://shop', bucket()],
  ['s3://shop/', bucket()],
  ['s3://shop/footfall', bucket({ prefix: 'footfall/' })],
  ['s3://shop/a/b/', bucket({ prefix: 'a/b/' })],
  ['s3://shop/a%20b', bucket({ prefix: 'a b/' })],
  ['s3://shop/x?region=eu-central-1', bucket({ prefix: 'x/', region: 'eu-central-1' })],
  [
    's3://shop?region=us-east-1&endpoint=https://objects.example.com:9000',
    bucket({ region: 'us-east-1', endpoint: 'https://objects.example.com:9000' }),
  ],
  ['S3://shop/x', bucket({ prefix: 'x/' })],
])('%s is a place', (text, place) => {
  expect(placeOf(text)).toEqual(place)
})

test.each([
  'http://example.com/archive',
  'file:///srv/archive',
  'gs://shop/x',
  's3:shop',
  's3://',
  's3:///x',
  's3://UPPER_case/x',
  's3://a',
  's3://key:secret@shop/x',
  's3://shop/x?bucket=other',
  's3://shop/x?endpoint=objects.example.com',
  's3://shop/x?endpoint=ftp://objects.example.com',
  's3://shop/x?endpoint=',
  's3://shop/x?region=',
  's3://shop/%zz',
  's3://shop/a/../b?region=eu&region=us',
  's3://shop/x#part',
])('%s is refused', (text) => {
  expect(() => placeOf(text)).toThrow('ARCHIVE must be a folder, or an address such as s3://bucket/prefix?region=eu-central-1')
})

test.each([
  ['ARCHIVE_LOG', 'yes'],
  ['ARCHIVE_METRICS', 'true'],
  ['ARCHIVE_FORMAT', 'csv'],
])('%s=%s is refused', (name, value) => {
  expect(() => configOf({ [name]: value })).toThrow(name)
})

test('a bucket needs a region, of ARCHIVE or of the environment', () => {
  const read =
    (place: string, env: object = {}) =>
    () =>
      readConfig({ ARCHIVE: place, ...env })
  for (const env of [{}, { AWS_REGION: '' }, { AWS_DEFAULT_REGION: 'eu-central-1' }])
    expect(read('s3://shop/x', env)).toThrow('ARCHIVE must have ?region=, or set AWS_REGION.')
  expect(read('s3://shop/x?endpoint=https://objects.example.com')).toThrow('ARCHIVE must have ?region=')
  expect(read('s3://shop/x?region=eu-central-1')).not.toThrow()
  for (const name of ['AWS_REGION', 'AWS_PROFILE', 'AWS_CONFIG_FILE'])
    expect(read('s3://shop/x', { [name]: 'shop' })).not.toThrow()
})
