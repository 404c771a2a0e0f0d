import { copyFile, mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { sql } from 'kysely'
import { postgresAccount } from '../../../src/main/embedded/postgres-account.ts'
import { connect } from '../../../src/store/database/connection.ts'
import { onlyRow } from '../../../src/store/database/rows.ts'

/** Folders whose files a copy must not have, because a server writes them anew. The folders themselves must exist. */
const EMPTY_FOLDERS = [
  'pg_wal',
  'pg_replslot',
  'pg_dynshmem',
  'pg_notify',
  'pg_serial',
  'pg_snapshots',
  'pg_stat_tmp',
  'pg_subtrans',
]
const LEFT_OUT =
  /^(postmaster\.(pid|opts)|postgresql\.auto\.conf\.tmp|backup_label|standby\.signal|recovery\.signal|pg_internal\.init.*|pgsql_tmp.*)$/

/** Copies the data folder of a running server, as pg_basebackup does: it is consistent once the log since its start was replayed. */
export async function copyDataFolder(serverUrl: string, from: string, to: string): Promise<void> {
  const db = connect({ url: serverUrl, name: 'base copy', connectionsMax: 1, statementMsMax: 0 })
  try {
    // A copy of a session that ends is not complete, so both functions run in one.
    await db.connection().execute(async (session) => {
      await sql`select pg_backup_start('standby', true)`.execute(session)
      await copyFiles(from, to)
      const label = onlyRow(
        await sql<{ labelfile: string }>`select labelfile from pg_backup_stop(wait_for_archive => false)`.execute(session),
      )
      await writeFile(join(to, 'backup_label'), label.labelfile)
    })
  } finally {
    await db.destroy()
  }
  await giveToPostgres(to)
}

/** Files that the server removes meanwhile are left out. */
async function copyFiles(from: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true, mode: 0o700 })
  for (const entry of await readdir(from, { withFileTypes: true }).catch(unlessMissing)) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)]
    if (LEFT_OUT.test(entry.name)) continue
    if (!entry.isDirectory()) await copyFile(source, target).catch(unlessMissing)
    else if (EMPTY_FOLDERS.includes(entry.name)) await mkdir(target, { mode: 0o700 })
    else await copyFiles(source, target)
  }
}

function unlessMissing(error: NodeJS.ErrnoException): [] {
  if (error.code !== 'ENOENT') throw error
  return []
}

/** Under root, PostgreSQL runs as a user of its own. */
async function giveToPostgres(folder: string): Promise<void> {
  const account = await postgresAccount([folder])
  const paths = [folder]
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true }))
    paths.push(join(entry.parentPath, entry.name))
  await account.takeOwnership(paths)
}
