import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { BackupSettings } from '../config/backup.ts'
import { CHECKOUT } from '../config/checkout.ts'
import { StartError } from '../config/start-error.ts'
import { postgresAccount } from './postgres-account.ts'

/** Settings of a PostgreSQL that archives its write-ahead log; none without WAL_ARCHIVE. Every start needs them, or the archive has a gap. */
export function walArchiveSettings({
  WAL_ARCHIVE: folder,
  WAL_ARCHIVE_SECONDS: seconds,
}: BackupSettings): Record<string, string> {
  if (folder === undefined) return {}
  return {
    archive_mode: 'on',
    archive_command: `sh ${quoted(join(CHECKOUT, 'ops', 'archive-wal.sh'))} "%p" ${quoted(folder)}`,
    archive_timeout: `${seconds}s`,
  }
}

/** Settings of a PostgreSQL that reads its write-ahead log from these folders. */
export function walRestoreSettings(folders: readonly string[]): Record<string, string> {
  const script = quoted(join(CHECKOUT, 'ops', 'restore-wal.sh'))
  return { restore_command: `sh ${script} "%f" "%p" ${folders.map(quoted).join(' ')}`.trim() }
}

/** For a shell. PostgreSQL replaces %p and %f, and %% by %. */
function quoted(path: string): string {
  return `'${path.replaceAll('%', '%%').replaceAll("'", String.raw`'\''`)}'`
}

/** Makes the folder of the archive, for the user of PostgreSQL. */
export async function makeWalArchive(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    await (await postgresAccount([folder])).takeOwnership([folder])
  } catch (cause) {
    if (cause instanceof StartError) throw cause
    throw new StartError(`WAL_ARCHIVE (${folder}) cannot be made: ${cause instanceof Error ? cause.message : String(cause)}.`, {
      cause,
    })
  }
}
