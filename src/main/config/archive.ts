import { join } from 'node:path'
import { z } from 'zod'
import { type ArchiveFormat, FORMATS } from '../../../services/archive/part-format.ts'
import { settingsIn, type SettingsOf, text } from './setting.ts'

export const archiveSettings = settingsIn('Archive', {
  ARCHIVE: text
    .refine(isPlace, { error: 'must be a folder, or an address such as s3://bucket/prefix?region=eu-central-1' })
    .optional()
    .describe(
      "Where the archive is: a folder, or s3://bucket/prefix with ?region= and ?endpoint= where the environment of AWS's SDK does not say them. The folder archive of FOOTFALL_HOME when absent.",
    ),
  ARCHIVE_LOG: z
    .enum(['on', 'off'])
    .default('off')
    .describe('on archives each month of the log before RETENTION_DAYS drops it: docs/archive.md.'),
  ARCHIVE_METRICS: z
    .enum(['on', 'off'])
    .default('on')
    .describe('on writes the metrics of sellers, categories and low stock to the archive once a day: docs/archive.md.'),
  ARCHIVE_FORMAT: z
    .enum(FORMATS)
    .default('jsonl.gz')
    .describe(
      'Of new parts of archived months: jsonl.gz (lines of JSON, compressed by gzip) or parquet (compressed by Zstandard).',
    ),
})

type ArchiveSettings = SettingsOf<typeof archiveSettings>

export type ArchivePlace = { folder: string } | S3Place

interface S3Place {
  bucket: string
  /** Empty, or it ends with a slash. */
  prefix: string
  region: string | undefined
  endpoint: string | undefined
}

export function archivePlaceOf({ ARCHIVE: place, FOOTFALL_HOME }: ArchiveSettings & { FOOTFALL_HOME: string }): ArchivePlace {
  if (place === undefined) return { folder: join(FOOTFALL_HOME, 'archive') }
  if (!IS_URL.test(place)) return { folder: place }
  const url = new URL(place)
  const prefix = decodeURIComponent(url.pathname).replace(/^\/+|\/+$/g, '')
  return {
    bucket: url.hostname,
    prefix: prefix === '' ? '' : `${prefix}/`,
    region: url.searchParams.get('region') ?? undefined,
    endpoint: url.searchParams.get('endpoint') ?? undefined,
  }
}

export function archivesLog(config: ArchiveSettings): boolean {
  return config.ARCHIVE_LOG === 'on'
}

export function archivesMetrics(config: ArchiveSettings): boolean {
  return config.ARCHIVE_METRICS === 'on'
}

export function archiveFormatOf(config: ArchiveSettings): ArchiveFormat {
  return config.ARCHIVE_FORMAT
}

const IS_URL = /^[a-z][a-z0-9+.-]+:/i

function isPlace(place: string): boolean {
  if (!IS_URL.test(place)) return true
  const url = URL.parse(place)
  const endpoint = url?.searchParams.get('endpoint') ?? null
  return (
    url?.protocol === 's3:' &&
    /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(url.hostname) &&
    url.username === '' &&
    url.password === '' &&
    [...url.searchParams.keys()].every((name) => name === 'region' || name === 'endpoint') &&
    (endpoint === null || /^https?:$/.test(URL.parse(endpoint)?.protocol ?? ''))
  )
}
