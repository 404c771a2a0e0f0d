import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import type { NewRejection } from '../../../src/admission/rows.ts'
import type { Database } from '../../../src/store/database/connection.ts'
import { exportPerson } from '../../../src/store/erasure/export.ts'
import { eraseNextPart, type ErasureDeps } from '../../../src/store/erasure/next-part.ts'
import { findErasure } from '../../../src/store/erasure/run-list.ts'
import { beginErasure, requestErasure } from '../../../src/store/erasure/run-machine.ts'
import { createTombstones } from '../../../src/store/log/tombstone.ts'

/** Another process of the same key: it has looked up no tombstone yet. */
export const newTombstones = () => createTombstones(Buffer.from('the key of the erasure tests, long enough'))

export function erasureDeps(forgotten: string[] = []): ErasureDeps {
  return { tombstones: newTombstones(), forget: async (ids) => void forgotten.push(...ids) }
}

/** An item that was rejected. */
export const rejection = (index: number, item: unknown): NewRejection => ({
  ...{ index, code: 'invalid', field: 'ref_id', message: 'is not valid' },
  item,
})

/** Erases a person to the end. @returns the run. */
export async function erase(db: Database, shopperId: string, deps = erasureDeps()) {
  const id = randomUUID()
  const { id: open } = await requestErasure(db, id, { shopper_id: shopperId, actor: 'ada' })
  await beginErasure(db, open)
  while (await eraseNextPart(db, open, deps));
  return (await findErasure(db, open))!
}

/** The lines of an export, parsed. */
export async function exported(db: Database, shopperId: string): Promise<{ table: string; row: Record<string, unknown> }[]> {
  const lines: { table: string; row: Record<string, unknown> }[] = []
  for await (const line of exportPerson((work) => work(db), shopperId)) lines.push(JSON.parse(line) as (typeof lines)[number])
  return lines
}

/** The tables that have one of these texts in any column of any row, as `table: the rows`. */
export async function rowsWith(db: Database, texts: readonly string[]): Promise<string[]> {
  const { rows: tables } = await sql<{ name: string }>`
    select c.oid::regclass::text as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where relkind in ('r', 'p') and not relispartition and nspname in ('public', 'catalog') order by 1`.execute(db)
  const found: string[] = []
  for (const { name } of tables) {
    const { rows } = await sql<{ text: string }>`
      select t::text as text from ${sql.table(name)} t where exists (select from unnest(${texts}::text[]) as w(word) where strpos(t::text, word) > 0)`.execute(
      db,
    )
    found.push(...rows.map(({ text }) => `${name}: ${text}`))
  }
  return found
}
