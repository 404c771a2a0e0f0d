import type { Config } from '../../main/config/config.ts'
import { StartError } from '../../main/config/start-error.ts'
import { withDatabase } from '../../main/database/with-database.ts'
import { databaseUrlOf } from '../../main/database/database-url.ts'
import { releaseName } from '../../main/release/release.ts'
import { type BaseBackup, takeBaseBackup } from '../../store/backup/base-backup.ts'
import { type LogFacts, readLogFacts } from '../../store/backup/log-facts.ts'
import { readKeysAndErased } from '../../store/backup/keys-and-erased.ts'
import type { Database } from '../../store/database/connection.ts'
import { isDenied, isUnavailable } from '../../store/database/sql-state.ts'
import { type BackupFolder, isFullDisk, makeBackupFolder } from './backup-files.ts'
import { keysAndErasedText } from './keys-and-erased.ts'
import { MANIFEST, type Manifest, KEYS_AND_ERASED, SERVER_MANIFEST } from './manifest.ts'

/** How far a backup is, in bytes. */
export interface BackupProgress {
  done: number
  total: number
}

export interface BackupWatch {
  onProgress: (progress: BackupProgress) => void
  /** Called with what removes the unfinished backup. */
  onBegin: (remove: () => void) => void
}

/** Takes a backup of the database of these settings into a new folder. Footfall works on meanwhile. @throws StartError when it cannot. */
export async function takeBackup(config: Config, target: string, watch: BackupWatch): Promise<Manifest> {
  const connection = { name: 'footfall backup', statementMsMax: 0, readOnly: true, connectionsMax: 2 }
  return withDatabase(config, connection, async (db) => {
    const folder = await makeBackupFolder(target)
    watch.onBegin(folder.remove)
    try {
      const manifest = await fill(folder, db, config, watch)
      folder.finish(MANIFEST, `${JSON.stringify(manifest, null, 2)}\n`)
      return manifest
    } catch (cause) {
      folder.remove()
      throw problemOf(cause, target)
    }
  })
}

async function fill(folder: BackupFolder, db: Database, config: Config, watch: BackupWatch): Promise<Manifest> {
  const { facts, copied } = await copyAndCount(folder, db, await databaseUrlOf(config), watch)
  write(folder, KEYS_AND_ERASED, keysAndErasedText(await readKeysAndErased(db)))
  const { systemIdentifier, serverVersion, start, stop } = copied
  return {
    format: 1,
    began_at: facts.at.toISOString(),
    finished_at: new Date().toISOString(),
    release: await releaseName(),
    schema: facts.schema,
    postgresql: serverVersion,
    is_embedded: config.DATABASE_URL === undefined,
    system_identifier: systemIdentifier,
    start,
    stop,
    last_batch: facts.lastBatch,
    log: facts.log,
    files: [...folder.files()],
  }
}

/** Counts while it copies. The snapshot is older than the end of the copy, so that the backup has at least the counted rows. */
async function copyAndCount(
  folder: BackupFolder,
  db: Database,
  url: string,
  { onProgress }: BackupWatch,
): Promise<{ facts: LogFacts; copied: BaseBackup }> {
  const snapshot = Promise.withResolvers<void>()
  const counting = readLogFacts(db, snapshot.resolve)
  await Promise.race([snapshot.promise, counting])
  const copying = takeBaseBackup(url, 'footfall backup', {
    archive: folder.begin,
    manifest: () => folder.begin(SERVER_MANIFEST),
    data: folder.write,
    progress: (done, total) => onProgress({ done, total }),
  }).finally(folder.end)
  const [facts, copied] = await Promise.all([counting, copying])
  return { facts, copied }
}

function write(folder: BackupFolder, name: string, text: string): void {
  folder.begin(name)
  folder.write(Buffer.from(text))
  folder.end()
}

function problemOf(cause: unknown, target: string): unknown {
  if (!(cause instanceof Error) || cause instanceof StartError) return cause
  if (isFullDisk(cause))
    return new StartError(`The disk of ${target} is full, so no backup was taken: make space, or name another folder.`, { cause })
  if (isDenied(cause))
    return new StartError(
      `The user of DATABASE_URL may not copy the database (${cause.message}): docs/backup.md says which user can.`,
      { cause },
    )
  if (isUnavailable(cause))
    return new StartError(`The connection to PostgreSQL was lost (${cause.message}), so no backup was taken: take it again.`, {
      cause,
    })
  return new StartError(`No backup was taken: ${cause.message}.`, { cause })
}
