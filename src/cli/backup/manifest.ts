import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { StartError } from '../../main/config/start-error.ts'

/** Its name says that a folder is a whole backup, because it is written last. */
export const MANIFEST = 'manifest.json'
/** The list of PostgreSQL: every file of the archives with its checksum. */
export const SERVER_MANIFEST = 'backup_manifest'
/** The keys and who was erased, so that a restore of an older backup can do again what it undid. Names no person. */
export const KEYS_AND_ERASED = 'keys-and-erased.json'

const instant = z.iso.datetime()
const LogPlace = z.object({ lsn: z.string(), timeline: z.number() })
/** Of a file in the folder itself, and nowhere else. */
const FILE_NAME = /^\w[\w.-]*$/
const BackupFile = z.object({ name: z.string().regex(FILE_NAME), bytes: z.number(), sha256: z.string() })

export const Manifest = z.object({
  format: z.literal(1),
  /** Everything that was committed before is in the backup. */
  began_at: instant,
  finished_at: instant,
  release: z.string(),
  schema: z.string(),
  postgresql: z.string(),
  /** Whether it is the PostgreSQL of npm start. */
  is_embedded: z.boolean(),
  system_identifier: z.string(),
  start: LogPlace,
  stop: LogPlace,
  /** Of the log at began_at. */
  last_batch: z.string(),
  log: z.record(z.string(), z.record(z.string(), z.number())),
  files: z.array(BackupFile),
})
export type Manifest = z.infer<typeof Manifest>
export type BackupFile = z.infer<typeof BackupFile>

/** @throws StartError for a folder that is no whole backup. */
export async function readManifest(folder: string): Promise<Manifest> {
  if (!existsSync(join(folder, MANIFEST))) throw new StartError(`${folder} is no whole backup: it has no ${MANIFEST}.`)
  return readManifestFile(join(folder, MANIFEST))
}

/** @throws StartError for a file that is no manifest. */
export async function readManifestFile(path: string): Promise<Manifest> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new StartError(`${path} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}.`, { cause })
  })
  try {
    return Manifest.parse(JSON.parse(text))
  } catch (cause) {
    throw new StartError(`${path} is damaged, or of another release: it is no manifest of a backup.`, { cause })
  }
}
