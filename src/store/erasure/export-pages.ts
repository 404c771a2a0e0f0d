import { sql } from 'kysely'
import type { Queryable } from '../database/connection.ts'

/** Rows of a page, and rows that are read for it: about 50 ms, so that no read comes near the limit of a gateway, however large the log is. */
const PAGE_ROWS = 500
const SCANNED_ROWS = 20_000

/** Runs one short read, e.g. in turn with those of other callers. */
export type Read = <T>(work: (db: Queryable) => Promise<T>) => Promise<T>

export type Sql = ReturnType<typeof sql>

export interface Table<Name extends string = string> {
  name: Name
  keys: readonly string[]
}

/** The rows of a table that an index finds, as lines, in pages by their keys. */
export async function* pagesOf(read: Read, table: Table, condition: Sql): AsyncGenerator<string> {
  for (let after: string | null = null; ;) {
    const page: Line[] = await read((db) => pageOf(db, table, sql`${condition} and ${isAfter(table, after)}`))
    for (const { line } of page) yield line
    if (page.length < PAGE_ROWS) return
    after = page.at(-1)!.key
  }
}

/** The same for a table that has to be read whole: each read is of at most SCANNED_ROWS rows, also where none is about the person. */
export async function* scannedPagesOf(read: Read, table: Table, part: Sql, condition: Sql): AsyncGenerator<string> {
  for (let after: string | null = null; ;) {
    const end: string | null = await read((db) => endOfRange(db, table, part, after))
    const isInRange = end === null ? sql`true` : sql`(${keyOf(table)}) <= (${keyAsRow(table, end)})`
    for (let page: Line[] | undefined; page === undefined || page.length === PAGE_ROWS;) {
      const from = page?.at(-1)!.key ?? after
      page = await read((db) => pageOf(db, table, sql`${part} and ${isAfter(table, from)} and ${isInRange} and (${condition})`))
      for (const { line } of page) yield line
    }
    if (end === null) return
    after = end
  }
}

interface Line {
  line: string
  key: string
}

async function pageOf(db: Queryable, table: Table, condition: Sql): Promise<Line[]> {
  const { rows } = await sql<Line>`
    select json_build_object('table', ${table.name}::text, 'row', row_to_json(r))::text as line, ${keyAsJson(table)} as key
    from (select * from ${sql.table(table.name)} where ${condition} order by ${keyOf(table)} limit ${PAGE_ROWS}) r`.execute(db)
  return rows
}

/** The last key of the next rows; null when they are the last ones. */
async function endOfRange(db: Queryable, table: Table, part: Sql, after: string | null): Promise<string | null> {
  const { rows } = await sql<{ key: string }>`
    select ${keyAsJson(table)} as key from ${sql.table(table.name)} where ${part} and ${isAfter(table, after)}
    order by ${keyOf(table)} offset ${SCANNED_ROWS - 1} limit 1`.execute(db)
  return rows[0]?.key ?? null
}

const keyOf = ({ keys }: Table) => sql.join(keys.map((column) => sql.ref(column)))
const keyAsJson = ({ keys }: Table) =>
  sql`json_build_object(${sql.join(keys.flatMap((column) => [sql.lit(column), sql.ref(column)]))})::text`
/** A key as PostgreSQL wrote it, which compares with the types of the columns. */
const keyAsRow = ({ name, keys }: Table, key: string) =>
  sql.join(keys.map((column) => sql`(jsonb_populate_record(null::${sql.table(name)}, ${key}::jsonb)).${sql.ref(column)}`))
const isAfter = (table: Table, key: string | null) =>
  key === null ? sql`true` : sql`(${keyOf(table)}) > (${keyAsRow(table, key)})`
