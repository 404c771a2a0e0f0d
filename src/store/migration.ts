import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { sql } from 'kysely'
import { lockFor } from './locks.ts'
import type { Store } from './database.ts'

/** Applies the numbered files of `folder` that the database does not have yet, all or none; returns their names. */
export async function migrate(db: Store, folder: string): Promise<string[]> {
  const names = (await readdir(folder)).filter((name) => /^\d{4}_.+\.sql$/.test(name)).sort()
  const files = await Promise.all(names.map(async (name) => ({ name, text: await readFile(join(folder, name), 'utf8') })))
  return db.transaction().execute(async (tx) => {
    await lockFor(tx, 'migrations', 'exclusive')
    await sql`create table if not exists migration (
      name text primary key, sha256 text not null, applied_at timestamptz not null default now())`.execute(tx)
    const { rows } = await sql<{ name: string; sha256: string }>`select name, sha256 from migration`.execute(tx)
    const applied = new Map(rows.map((row) => [row.name, row.sha256]))
    const fresh = files.filter((file) => !applied.has(file.name))
    for (const { name, text } of files) {
      const sha256 = createHash('sha256').update(text).digest('hex')
      const before = applied.get(name)
      if (before !== undefined && before !== sha256)
        throw new Error(`sql/${name} was changed after it was applied; add a new file instead`)
      if (before !== undefined) continue
      await sql.raw(text).execute(tx)
      await sql`insert into migration (name, sha256) values (${name}, ${sha256})`.execute(tx)
    }
    return fresh.map((file) => file.name)
  })
}
