import { openSync, readFileSync, closeSync } from 'node:fs'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { StartError } from '../../main/config/start-error.ts'
import { postgresAccount } from '../../main/embedded/postgres-account.ts'
import { type PrivatePostgres, startPrivatePostgres } from '../../main/embedded/private-postgres.ts'
import { walRestoreSettings } from '../../main/embedded/wal-archive.ts'
import type { LogPlace } from '../../store/backup/base-backup.ts'
import { isSegment, segmentOf } from '../backup/wal-files.ts'

export interface ReplayOptions {
  folder: string
  /** Folders of the write-ahead log. */
  wal: readonly string[]
  /** The last instant to replay; undefined for all that there is. */
  to: Date | undefined
  logFile: string
  /** Undefined for the newest one of the log. */
  timeline: number | undefined
}

/** A replay reads about a gigabyte of the log in a minute. */
const REPLAY_MS_MAX = 24 * 60 * 60_000

/** Starts PostgreSQL on an unpacked backup, and lets it replay its log. @throws StartError with its reason when it does not get there. */
export async function replay(options: ReplayOptions): Promise<{ server: PrivatePostgres; end: LogPlace }> {
  const { folder, to } = options
  const signal = join(folder, 'recovery.signal')
  await writeFile(signal, '')
  await (await postgresAccount([folder])).takeOwnership([signal])
  const log = openSync(options.logFile, 'w', 0o600)
  const target =
    to === undefined
      ? {}
      : { recovery_target_time: to.toISOString().replace('T', ' ').replace('Z', '+00'), recovery_target_action: 'promote' }
  const line = options.timeline === undefined ? {} : { recovery_target_timeline: String(options.timeline) }
  const settings = { ...walRestoreSettings(options.wal), ...target, ...line }
  try {
    const server = await startPrivatePostgres({ folder, log, settings, readyMsMax: REPLAY_MS_MAX })
    return { server, end: await endOf(folder) }
  } catch (cause) {
    throw cause instanceof StartError ? reasonIn(options, cause) : cause
  } finally {
    closeSync(log)
  }
}

/** From the history of the new timeline, which says where it left the one before. */
async function endOf(folder: string): Promise<LogPlace> {
  const histories = (await readdir(join(folder, 'pg_wal'))).filter((name) => name.endsWith('.history')).sort()
  const last = (await readFile(join(folder, 'pg_wal', histories.at(-1)!), 'utf8')).trim().split('\n').at(-1)!
  const [timeline, lsn] = last.split('\t') as [string, string]
  return { timeline: Number(timeline), lsn }
}

function reasonIn({ logFile, to }: ReplayOptions, cause: StartError): StartError {
  const text = readFileSync(logFile, 'utf8')
  const lastInstant = /last completed transaction was at log time (.+)/.exec(text)?.[1]
  if (/recovery ended before configured recovery target was reached/.test(text)) {
    const known = lastInstant === undefined ? 'has nothing after the backup' : `ends at ${lastInstant}`
    return new StartError(
      `The write-ahead log ${known}, which is before ${to!.toISOString()}: name an earlier instant, or the folder with the rest (--wal).`,
      { cause },
    )
  }
  if (/requested recovery stop point is before consistent recovery point/.test(text)) {
    return new StartError(`The backup was not finished at ${to!.toISOString()}: name a later instant, or take an older backup.`, {
      cause,
    })
  }
  const fatal = [...text.matchAll(/(?:FATAL|PANIC): {2}(.+)/g)].at(-1)?.[1]
  return new StartError(`PostgreSQL could not replay its log${fatal === undefined ? '' : ` (${fatal})`}: ${logFile} says why.`, {
    cause,
  })
}

/**
 * Marks what a restored database wrote before it archived: the history of its timeline, and the files before its place. Nothing is archived
 * earlier, because a restore that does not come to its end must leave no timeline in the archive, which later restores would follow.
 */
export async function markForArchive(folder: string, timeline: number, lsn: string): Promise<void> {
  const log = join(folder, 'pg_wal')
  const current = segmentOf({ timeline, lsn })
  const prefix = current.slice(0, 8)
  const unarchived = (await readdir(log)).filter(
    (name) => name === `${prefix}.history` || (isSegment(name) && name.startsWith(prefix) && name < current),
  )
  const account = await postgresAccount([folder])
  for (const name of unarchived) {
    const mark = join(log, 'archive_status', `${name}.ready`)
    await writeFile(mark, '', { mode: 0o600 })
    await account.takeOwnership([mark])
  }
}
