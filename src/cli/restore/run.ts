import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Config } from '../../main/config/config.ts'
import { StartError } from '../../main/config/start-error.ts'
import {
  logFolderOf,
  passwordFileOf,
  postgresFolderOf,
  processesFileOf,
  restateFolderOf,
  restoringFolderOf,
} from '../../main/database/home-paths.ts'
import { withDatabase } from '../../main/database/with-database.ts'
import { claimHome, refuseConcurrentCommand } from '../../main/database/claim-home.ts'
import { endLeftoverPostgres } from '../../main/embedded/postgres.ts'
import { storedSecret } from '../../main/embedded/stored-secret.ts'
import { clearPidFile } from '../../main/embedded/supervisor.ts'
import { makeHome } from '../../main/start-checks.ts'
import type { LogPlace } from '../../store/backup/base-backup.ts'
import { type RestoredState, restoredState, setPassword } from '../../store/backup/restored-state.ts'
import { connect } from '../../store/database/connection.ts'
import { jumpBatchIds } from '../../store/log/recorded-call.ts'
import type { Tombstones } from '../../store/log/tombstone.ts'
import { isFullDisk } from '../backup/backup-files.ts'
import { type Manifest, readManifest } from '../backup/manifest.ts'
import type { BackupProgress } from '../backup/take-backup.ts'
import { segmentsAfter } from '../backup/wal-files.ts'
import { listIn, listsOfFiles, merged, type NewerList } from './newer-lists.ts'
import { readOldDatabase } from './old-database.ts'
import { type Redone, redo, tombstonesFor } from './redo.ts'
import { markForArchive, replay } from './replay.ts'
import { unpack } from './unpack.ts'

export interface RestoreOptions {
  to?: Date
  /** Folders of the write-ahead log; WAL_ARCHIVE when absent. */
  wal?: readonly string[]
  /** The timeline to follow; the newest one of the log when absent. */
  timeline?: number
  moveOld?: boolean
  /** Files with newer lists of keys and erased persons. */
  lists?: readonly string[]
}

export interface RestoreWatch {
  onProgress: (progress: BackupProgress) => void
  say: (sentence: string) => void
}

export interface Restored extends Redone {
  manifest: Manifest
  state: RestoredState
  /** How far the write-ahead log was replayed. */
  replayedTo: string
  /** Where the newer lists are from. */
  sources: string[]
  /** Where the database is now that was there before. */
  movedTo: string | undefined
  hasRestate: boolean
}

const MAJOR = 18

/**
 * Restores a backup as the database of npm start. The old one is moved aside, when the new one can be used. Killed at any place, it leaves the
 * old one as it was, or says so at the next start. @throws StartError when it cannot.
 */
export async function restore(config: Config, backup: string, options: RestoreOptions, watch: RestoreWatch): Promise<Restored> {
  const manifest = await readManifest(backup)
  refuseOther(config, manifest, options)
  const own = await listIn(backup)
  await makeHome(config)
  await clearPidFile(processesFileOf(config), 'footfall.js')
  await refuseConcurrentCommand(config)
  const release = await claimHome(config)
  try {
    await endLeftoverPostgres(postgresFolderOf(config))
    await endLeftoverPostgres(restoringFolderOf(config))
    await unpack(backup, manifest, restoringFolderOf(config), watch.onProgress)
    const lists = [own, ...(await newerLists(config, backup, manifest, options, watch))]
    const tombstones = tombstonesFor(config, merged(lists).erased)
    return { manifest, ...(await bringForward(config, options, lists, tombstones, watch)) }
  } catch (cause) {
    await rm(restoringFolderOf(config), { recursive: true, force: true })
    if (!isFullDisk(cause)) throw cause
    throw new StartError(`The disk of ${config.FOOTFALL_HOME} is full, so nothing was restored: make space first.`, { cause })
  } finally {
    await release()
  }
}

function refuseOther(config: Config, manifest: Manifest, { to, moveOld = false }: RestoreOptions): void {
  if (config.DATABASE_URL !== undefined)
    throw new StartError(
      'DATABASE_URL is set: restore your own PostgreSQL by the steps of docs/backup.md, and then add --restored.',
    )
  if (!manifest.is_embedded)
    throw new StartError('The backup is not of the PostgreSQL of npm start: docs/backup.md says how to restore it into your own.')
  if (Number.parseInt(manifest.postgresql, 10) !== MAJOR)
    throw new StartError(
      `The backup is of PostgreSQL ${manifest.postgresql}, and this is ${MAJOR}: use the release ${manifest.release}.`,
    )
  if (to !== undefined && to.toISOString() < manifest.began_at)
    throw new StartError(`The backup was begun at ${manifest.began_at}, which is after ${to.toISOString()}: take an older one.`)
  if (existsSync(postgresFolderOf(config)) && !moveOld)
    throw new StartError(
      `There is a database in ${config.FOOTFALL_HOME}: add --move-old, which keeps it under another name, or set FOOTFALL_HOME to another folder.`,
    )
}

/** Lists of a later time than that of the backup: of files, of newer backups beside it, and of the database that is there. */
async function newerLists(
  config: Config,
  backup: string,
  manifest: Manifest,
  { lists }: RestoreOptions,
  { say }: RestoreWatch,
): Promise<NewerList[]> {
  const newer = await listsOfFiles(backup, manifest, lists)
  const folder = postgresFolderOf(config)
  if (!existsSync(folder)) return newer
  const old = await readOldDatabase(folder, join(logFolderOf(config), 'old-database.log'))
  if (typeof old === 'string') say(old)
  else newer.push({ source: folder, list: old })
  return newer
}

/** Does the rest for a database that was restored by other means, and is the one of these settings. @throws StartError when it cannot. */
export async function finishRestore(config: Config, backup: string, { lists }: Pick<RestoreOptions, 'lists'>): Promise<Restored> {
  const manifest = await readManifest(backup)
  const found = [await listIn(backup), ...(await listsOfFiles(backup, manifest, lists))]
  const list = merged(found)
  const tombstones = tombstonesFor(config, list.erased)
  return withDatabase(config, { name: 'footfall restore', statementMsMax: 0 }, async (db) => {
    await jumpBatchIds(db)
    const redone = await redo(db, list, tombstones)
    const state = await restoredState(db)
    const sources = found.slice(1).map(({ source }) => source)
    return { manifest, state, replayedTo: state.lsn, sources, movedTo: undefined, hasRestate: true, ...redone }
  })
}

/** Replays the log, does again what must not be undone, and puts the database in its place. */
async function bringForward(
  config: Config,
  options: RestoreOptions,
  lists: readonly NewerList[],
  tombstones: Tombstones,
  { say }: RestoreWatch,
): Promise<Omit<Restored, 'manifest'>> {
  const folder = restoringFolderOf(config)
  const wal = await walFolders(config, options)
  say('Replaying the write-ahead log.')
  const { server, end } = await replay({
    folder,
    wal: wal.length === 0 ? [] : [...wal, join(postgresFolderOf(config), 'pg_wal')],
    to: options.to,
    timeline: options.timeline,
    logFile: join(logFolderOf(config), 'restore.log'),
  })
  const db = connect({ url: server.url, name: 'footfall restore', statementMsMax: 0 })
  try {
    if (options.to === undefined) await warnOfGap(wal, end, say)
    await jumpBatchIds(db)
    const redone = await redo(db, merged(lists), tombstones)
    await setPassword(db, await storedSecret(passwordFileOf(config), () => randomBytes(24).toString('base64url')))
    const state = await restoredState(db)
    await db.destroy()
    await server.stop()
    if (config.WAL_ARCHIVE !== undefined) await markForArchive(folder, state.timeline, state.lsn)
    const movedTo = await putInPlace(config)
    const sources = lists.slice(1).map(({ source }) => source)
    return { state, replayedTo: end.lsn, sources, movedTo, hasRestate: existsSync(restateFolderOf(config)), ...redone }
  } finally {
    await db.destroy()
    await server.stop()
  }
}

/** What was not archived yet is in the database that is there: the replay reads it after the archive. */
async function walFolders({ WAL_ARCHIVE }: Config, { wal }: RestoreOptions): Promise<readonly string[]> {
  for (const folder of wal ?? []) {
    if ((await stat(folder).catch(() => undefined))?.isDirectory() !== true)
      throw new StartError(`${folder} (--wal) is no folder.`)
  }
  return wal ?? (WAL_ARCHIVE === undefined ? [] : [WAL_ARCHIVE])
}

/** A missing file ends the replay as the end of the log does. */
async function warnOfGap(wal: readonly string[], end: LogPlace, say: (sentence: string) => void): Promise<void> {
  const [next, ...more] = await segmentsAfter(wal, end)
  if (next === undefined || more.length === 0) return
  say(`The write-ahead log has a gap: the replay ended at ${end.lsn}, and there are later files up to ${more.at(-1)}.`)
}

/** @returns where the old database is now. */
async function putInPlace(config: Config): Promise<string | undefined> {
  const folder = postgresFolderOf(config)
  const aside = `${folder}-before-${new Date().toISOString().replaceAll(/[:.]/g, '')}`
  const hasOld = existsSync(folder)
  if (hasOld) await rename(folder, aside)
  try {
    await rename(restoringFolderOf(config), folder)
  } catch (cause) {
    if (hasOld) await rename(aside, folder)
    throw cause
  }
  return hasOld ? aside : undefined
}
