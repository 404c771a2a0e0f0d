import { cp, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Database } from '../../../src/store/database/connection.ts'
import { migrate } from '../../../src/store/database/migration.ts'

export const SQL = join(import.meta.dirname, '..', '..', '..', 'sql')

/** Applies the files of sql/ up to a number, e.g. 0014: the database of an earlier release. */
export async function migrateUpTo(db: Database, newest: string): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'footfall-sql-'))
  for (const name of await readdir(SQL)) {
    if (name.endsWith('.sql') && name.slice(0, newest.length) <= newest) await cp(join(SQL, name), join(folder, name))
  }
  await migrate(db, folder)
  await rm(folder, { recursive: true })
}
