import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { sql } from 'kysely'
import { DecidedError } from '../../contract/decided-error.ts'
import { alterTables } from './locks.ts'
import type { Queryable, Database } from './connection.ts'
import { onlyRow } from './rows.ts'

/** The major version of the server, and the encoding of the database. */
export async function serverOf(db: Queryable): Promise<{ version: number; encoding: string }> {
  const result = await sql<{ version: number; encoding: string }>`
    select current_setting('server_version_num')::int / 10000 as version, getdatabaseencoding() as encoding`.execute(db)
  return onlyRow(result)
}

interface Migration {
  name: string
  text: string
  /** The number of the oldest file whose release can still work on the database after this one. */
  worksSince: string
}

/** A newer release has migrated the database, and this release does not understand the result. */
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
 * Applies the numbered files of `folder` that the database does not have yet, all or none. A release that knows the files up to
 * NNNN works on after a file whose first line is `-- works since NNNN`. @returns the names of the applied files.
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
    const unapplied = files.filter((file) => !applied.has(file.name))
    if (unapplied.some(({ text }) => /\balter table interaction_batch\b/.test(text))) await lockBatches(tx)
    for (const { name, text, worksSince } of files) {
      const sha256 = createHash('sha256').update(text).digest('hex')
      const appliedSha256 = applied.get(name)
      if (appliedSha256 !== undefined && appliedSha256 !== sha256)
        throw new Error(`sql/${name} was changed after it was applied; add a new file instead`)
      if (appliedSha256 !== undefined) continue
      await sql.raw(text).execute(tx)
      await sql`insert into migration (name, sha256, works_since) values (${name}, ${sha256}, ${worksSince})`.execute(tx)
    }
    return unapplied.map((file) => file.name)
  })
}

/**
 * Recording interactions and searches locks this table before those of the log. Migrations that alter it lock it first too, because
 * they would otherwise deadlock with every recording. Payments and replays lock it later; a deadlock with one of them is retried.
 */
async function lockBatches(tx: Queryable): Promise<void> {
  const result = await sql<{ exists: boolean }>`select to_regclass('interaction_batch') is not null as exists`.execute(tx)
  if (onlyRow(result).exists) await sql`lock table interaction_batch in access exclusive mode`.execute(tx)
}

/** Without `if not exists`, because that takes a lock that blocks processes reading `migration` before they start. */
async function addWorksSince(tx: Queryable): Promise<void> {
  const { rows } = await sql`
    select from pg_attribute where attrelid = 'migration'::regclass and attname = 'works_since'`.execute(tx)
  if (rows.length === 0) await sql`alter table migration add column works_since text`.execute(tx)
}

/** The number of the newest file that was applied to the database. */
export async function newestMigration(db: Queryable): Promise<number> {
  const result = await sql<{ number: number }>`select max(left(name, 4))::int as number from migration`.execute(db)
  return onlyRow(result).number
}

interface SchemaState {
  /** Files that were not applied to the database. */
  missing: string[]
  /** Files of a newer release that this release does not understand. */
  notUnderstood: string[]
}

/** Compares the database with the files of `folder`. */
export async function schemaState(db: Queryable, folder: string): Promise<SchemaState> {
  const names = (await migrationsIn(folder)).map((file) => file.name)
  const newest = numberOf(names.at(-1) ?? '0000')
  // A database may be older than the column works_since.
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
