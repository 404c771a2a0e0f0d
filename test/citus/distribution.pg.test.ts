import { sql } from 'kysely'
import { describe, expect } from 'vitest'
import type { Database } from '../../src/store/database/connection.ts'
import { PLACEMENTS } from '../../src/store/database/distribution.ts'
import { pgTest as test } from '../harness/fixtures.ts'

const placeOf = (table: string) => PLACEMENTS.find((placement) => placement.table === table)
const shards = PLACEMENTS.filter((placement) => placement.as === 'distributed')

/** A table as the registry names it: with its schema unless that is `public`. */
const nameOf = (oid: string) =>
  sql.raw(`(select case nspname when 'public' then relname else nspname || '.' || relname end
  from pg_class join pg_namespace n on n.oid = relnamespace where pg_class.oid = ${oid})`)

async function tablesOf(db: Database): Promise<string[]> {
  const { rows } = await sql<{ name: string }>`
    select ${nameOf('c.oid')} as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p') and not c.relispartition and nspname not in ('pg_catalog', 'information_schema')`.execute(db)
  return rows.map(({ name }) => name)
}

describe('the placements of tables on Citus', () => {
  test('name every table of the schema once, and no other', async ({ db }) => {
    expect(PLACEMENTS.map(({ table }) => table).toSorted()).toEqual((await tablesOf(db)).toSorted())
  })

  test('have a distribution column that is never null, and that every unique key has', async ({ db }) => {
    const { rows } = await sql<{ name: string; key: string; columns: string[] }>`
      select ${nameOf('i.indrelid')} as name, i.indexrelid::regclass::text as key,
        array(select attname::text from pg_attribute a where a.attrelid = i.indrelid and a.attnum = any(i.indkey[0:i.indnkeyatts - 1])) as columns
      from pg_index i join pg_class c on c.oid = i.indrelid where i.indisunique and not c.relispartition`.execute(db)
    const without = shards.flatMap(({ table, by }) =>
      rows.filter(({ name, columns }) => name === table && !columns.includes(by)).map(({ key }) => `${key} lacks ${by}`),
    )
    expect(without).toEqual([])
    const { rows: notNull } = await sql<{ column: string }>`
      select ${nameOf('attrelid')} || '.' || attname as column from pg_attribute where attnotnull and attnum > 0`.execute(db)
    const columns = new Set(notNull.map(({ column }) => column))
    expect(shards.map(({ table, by }) => `${table}.${by}`).filter((column) => !columns.has(column))).toEqual([])
  })

  test('have one type and collation for the column of a group', async ({ db }) => {
    const { rows } = await sql<{ column: string; type: string }>`
      select ${nameOf('attrelid')} || '.' || attname as column, atttypid::regtype || ' ' || attcollation as type
      from pg_attribute where attnum > 0`.execute(db)
    const typeOf = new Map(rows.map(({ column, type }) => [column, type]))
    const groups = Map.groupBy(shards, ({ group }) => group)
    for (const [group, tables] of groups) {
      expect([group, new Set(tables.map(({ table, by }) => typeOf.get(`${table}.${by}`))).size]).toEqual([group, 1])
    }
  })

  test('have foreign keys between reference tables alone, each after the table that it refers to', async ({ db }) => {
    const { rows } = await sql<{ from: string; to: string }>`
      select ${nameOf('conrelid')} as "from", ${nameOf('confrelid')} as "to" from pg_constraint where contype = 'f'`.execute(db)
    expect(rows.length).toBeGreaterThan(0)
    const tables = PLACEMENTS.map(({ table }) => table)
    for (const { from, to } of rows) {
      expect([from, placeOf(from)?.as, to, placeOf(to)?.as]).toEqual([from, 'reference', to, 'reference'])
      expect(tables.indexOf(from), `${from} after ${to}`).toBeGreaterThanOrEqual(tables.indexOf(to))
    }
  })
})
