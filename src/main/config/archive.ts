import { join } from 'node:path'
import { z } from 'zod'
import { type ArchiveFormat, FORMATS } from '../../../services/archive/part-format.ts'
import { settingsIn, type SettingsOf, text } from './setting.ts'

export const archiveSettings = settingsIn('Archive', {
  ARCHIVE: text
    .refine((place) => placeIn(place) !== undefined, {
      error: 'must be a folder, or an address such as s3://bucket/prefix?region=eu-central-1',
    })
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

/** What is wrong with the settings together; undefined when nothing is. Retention holds a connection while a month is archived by another one. */
export function archiveProblem(
  { ARCHIVE, ARCHIVE_LOG, DATABASE_CONNECTIONS }: ArchiveSettings & { DATABASE_CONNECTIONS: number },
  environment: NodeJS.ProcessEnv,
): string | undefined {
  if (ARCHIVE_LOG === 'on' && DATABASE_CONNECTIONS < 2) return 'Set DATABASE_CONNECTIONS to 2 or more: ARCHIVE_LOG=on needs two.'
  const place = ARCHIVE === undefined ? undefined : placeIn(ARCHIVE)
  if (place === undefined || 'folder' in place || place.region !== undefined) return undefined
  return REGION_SOURCES.some((name) => environment[name]) ? undefined : 'ARCHIVE must have ?region=, or set AWS_REGION.'
}

/** Variables that give the SDK a region: itself, or a profile that can have one. */
const REGION_SOURCES = ['AWS_REGION', 'AWS_PROFILE', 'AWS_CONFIG_FILE']

export type ArchivePlace = { folder: string } | S3Place

interface S3Place {
  bucket: string
  /** Empty, or it ends with a slash. */
  prefix: string
  region: string | undefined
  endpoint: string | undefined
}

export function archivePlaceOf({ ARCHIVE: place, FOOTFALL_HOME }: ArchiveSettings & { FOOTFALL_HOME: string }): ArchivePlace {
  return place === undefined ? { folder: join(FOOTFALL_HOME, 'archive') } : placeIn(place)!
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
const IS_BUCKET = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/
const PARAMETERS = ['region', 'endpoint']

/** The place that a text names; undefined for a text that names none. */
function placeIn(text: string): ArchivePlace | undefined {
  if (!IS_URL.test(text)) return { folder: text }
  const url = URL.parse(text)
  if (url === null || url.protocol !== 's3:' || !IS_BUCKET.test(url.hostname)) return undefined
  if (url.username + url.password + url.port + url.hash !== '') return undefined
  const names = [...url.searchParams.keys()]
  if (new Set(names).size < names.length || !names.every((name) => PARAMETERS.includes(name))) return undefined
  const [region, endpoint] = PARAMETERS.map((name) => url.searchParams.get(name) ?? undefined)
  const prefix = decoded(url.pathname)?.replace(/^\/+|\/+$/g, '')
  if (prefix === undefined || region === '') return undefined
  if (endpoint !== undefined && !/^https?:$/.test(URL.parse(endpoint)?.protocol ?? '')) return undefined
  return { bucket: url.hostname, prefix: prefix === '' ? '' : `${prefix}/`, region, endpoint }
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}
