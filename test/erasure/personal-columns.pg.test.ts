import { sql } from 'kysely'
import { expect } from 'vitest'
import type { Database } from '../../src/store/database/connection.ts'
import { OTHER_COLUMNS, PERSONAL_COLUMNS } from '../../src/store/erasure/personal-columns.ts'
import { pgTest as test } from '../harness/fixtures.ts'

/** Types whose values are numbers, instants, ids that the program makes, and booleans. A column of any other type may have anything in it. */
const HARMLESS = [
  'bigint',
  'boolean',
  'date',
  'double precision',
  'integer',
  'real',
  'smallint',
  'timestamp with time zone',
  'uuid',
]

async function columnsOf(db: Database): Promise<string[]> {
  const { rows } = await sql<{ name: string }>`
    select case nspname when 'public' then '' else nspname || '.' end || relname || '.' || attname as name
    from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
    where relkind in ('r', 'p') and not relispartition and nspname !~ '^pg_|^information_schema$|^log_month$' and attnum > 0 and not attisdropped
      and format_type(atttypid, null) <> all(${HARMLESS}::text[]) order by 1`.execute(db)
  return rows.map(({ name }) => name)
}

const PERSONAL = Object.entries(PERSONAL_COLUMNS).flatMap(([table, columns]) =>
  Object.keys(columns).map((column) => `${table}.${column}`),
)
const OTHERS = Object.values(OTHER_COLUMNS).flat()
/** Personal, although its type is harmless. */
const NUMBERS = ['interaction.account_number']

const isIn = (names: readonly string[], name: string) =>
  names.includes(name) || names.includes(`${name.slice(0, name.lastIndexOf('.'))}.*`)

test('every text, JSON, address and byte column is personal or named with a reason', async ({ db }) => {
  const columns = await columnsOf(db)
  expect(columns.length).toBeGreaterThan(80)
  expect(columns.filter((name) => !isIn(PERSONAL, name) && !isIn(OTHERS, name))).toEqual([])
})

test('a new column of a personal table is in neither list', async ({ database, db }) => {
  expect(database).toBeDefined()
  await sql`alter table shopper_redirect add column remark text`.execute(db)
  await sql`create table shopper_note (body jsonb, sent_from inet, words text[], bytes bytea, title varchar(9))`.execute(db)
  const unknown = (await columnsOf(db)).filter((name) => !isIn(PERSONAL, name) && !isIn(OTHERS, name))
  const note = ['body', 'bytes', 'sent_from', 'title', 'words'].map((column) => `shopper_note.${column}`)
  expect(unknown.sort()).toEqual([...note, 'shopper_redirect.remark'])
  await sql`drop table shopper_note`.execute(db)
  await sql`alter table shopper_redirect drop column remark`.execute(db)
})

test('no column is in both lists, and each that is named exists', async ({ db }) => {
  const columns = await columnsOf(db)
  expect(PERSONAL.filter((name) => isIn(OTHERS, name))).toEqual([])
  const exists = (name: string) =>
    name.endsWith('.*') ? columns.some((column) => column.startsWith(name.slice(0, -1))) : columns.includes(name)
  expect([...PERSONAL, ...OTHERS].filter((name) => !exists(name) && !NUMBERS.includes(name))).toEqual([])
})
