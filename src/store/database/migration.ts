import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { sql } from 'kysely'
import { DecidedError } from '../../contract/decided-error.ts'
import { alterTables } from './locks.ts'
import type { Queryable, Database } from './connection.ts'

/** The major version of the server, and the encoding of the database. */
export async function serverOf(db: Queryable): Promise<{ version: number; encoding: string }> {
  const { rows } = await sql<{ version: number; encoding: string }>`
    select current_setting('server_version_num')::int / 10000 as version, getdatabaseencoding() as encoding`.execute(db)
  return rows[0]!
}

interface Migration {
  name: string
  text: string
  /** The number of the first file whose code can work beside this one. */
  worksSince: string
}

/** Newer code has migrated the database, and left it unfit for this one. */
export class NewerSchemaError extends DecidedError {
  override readonly name = 'NewerSchemaError'

  constructor(names: readonly string[]) {
    super(
      'conflict',
      `The database is of a newer Footfall (${names.join(', ')}), which this one does not understand: start the newer one.`,
    )
  }
}

/**
 * Applies the numbered files of `folder` that the database does not have yet, all or none; returns their names. A file whose first
 * line is `-- works since NNNN` leaves the database fit for code that knows the files up to that number.
 */
export async function migrate(db: Database, folder: string): Promise<string[]> {
  const files = await migrationsIn(folder)
  return alterTables(db, async (tx) => {
    await sql`create table if not exists migration (
      name text primary key, sha256 text not null, applied_at timestamptz not null default now())`.execute(tx)
    await addWorksSince(tx)
    const { notUnderstood } = await schemaState(tx, folder)
    if (notUnderstood.length > 0) throw new NewerSchemaError(notUnderstood)
    const { rows } = await sql<{ name: string; sha256: string }>`select name, sha256 from migration`.execute(tx)
    const applied = new Map(rows.map((row) => [row.name, row.sha256]))
    const fresh = files.filter((file) => !applied.has(file.name))
    if (fresh.some(({ text }) => /\balter table interaction_batch\b/.test(text))) await lockBatches(tx)
    for (const { name, text, worksSince } of files) {
      const sha256 = createHash('sha256').update(text).digest('hex')
      const before = applied.get(name)
      if (before !== undefined && before !== sha256)
        throw new Error(`sql/${name} was changed after it was applied; add a new file instead`)
      if (before !== undefined) continue
      await sql.raw(text).execute(tx)
      await sql`insert into migration (name, sha256, works_since) values (${name}, ${sha256}, ${worksSince})`.execute(tx)
    }
    return fresh.map((file) => file.name)
  })
}

/**
 * Recording locks this table before every other, so a migration that alters it must do the same: after another table it would
 * deadlock with a recording.
 */
async function lockBatches(tx: Queryable): Promise<void> {
  const { rows } = await sql<{ exists: boolean }>`select to_regclass('interaction_batch') is not null as exists`.execute(tx)
  if (rows[0]!.exists) await sql`lock table interaction_batch in access exclusive mode`.execute(tx)
}

/** Not `if not exists`: that would lock out those who look whether they may start. */
async function addWorksSince(tx: Queryable): Promise<void> {
  const { rows } = await sql`
    select from pg_attribute where attrelid = 'migration'::regclass and attname = 'works_since'`.execute(tx)
  if (rows.length === 0) await sql`alter table migration add column works_since text`.execute(tx)
}

export interface SchemaState {
  /** Files that the database does not have. */
  missing: string[]
  /** Files of newer code that left the database unfit for this one. */
  notUnderstood: string[]
}

/** How the database stands to the files of `folder`. */
export async function schemaState(db: Queryable, folder: string): Promise<SchemaState> {
  const names = (await migrationsIn(folder)).map((file) => file.name)
  const newest = numberOf(names.at(-1) ?? '0000')
  // The column is not there before the first file that had it.
  const { rows } = await sql<{ name: string; worksSince: string | null }>`
    select name, to_jsonb(m) ->> 'works_since' as "worksSince" from migration m order by name`.execute(db)
  const applied = new Set(rows.map(({ name }) => name))
  return {
    missing: names.filter((name) => !applied.has(name)),
    notUnderstood: rows
      .filter(({ name, worksSince }) => !names.includes(name) && (worksSince ?? numberOf(name)) > newest)
      .map(({ name }) => name),
  }
}

async function migrationsIn(folder: string): Promise<Migration[]> {
  const names = (await readdir(folder)).filter((name) => /^\d{4}_.+\.sql$/.test(name)).sort()
  return Promise.all(
    names.map(async (name) => {
      const text = await readFile(join(folder, name), 'utf8')
      return { name, text, worksSince: /^-- works since (\d{4})\b/.exec(text)?.[1] ?? numberOf(name) }
    }),
  )
}

function numberOf(name: string): string {
  return name.slice(0, 4)
}
