import { sql } from 'kysely'
import type { Database, Queryable } from '../database/connection.ts'
import { allowLongStatements } from '../database/transaction.ts'
import { type LogTableName, type Month, monthAfter } from '../log/month.ts'
import { addKeys, hexOf, lockKeys } from './shopper-key.ts'
import { ARCHIVED_TABLES } from './table.ts'

type Sql = ReturnType<typeof sql>

/** A row of a month as it is archived. */
export interface ArchivedRow {
  /** A JSON object of the fields, the shoppers' pseudonyms first. PostgreSQL makes it, so that no number is rounded. */
  line: string
  /** A JSON object of the personal columns; null where there are none. */
  personal: string | null
  /** The keys that encrypt them together, none when the row is of no shopper; null without such columns. */
  keys: Buffer[] | null
  /** By what the manifest counts it, e.g. the event type. */
  countedBy: string
}

export interface Page {
  rows: ArchivedRow[]
  /** The keys of the first row and of the last one, as JSON. */
  firstKey: string
  lastKey: string
}

/** The instants of a month, as a condition on rows `i`. */
function isIn(month: Month): Sql {
  return sql`i.occurred_at >= ${`${month}-01T00:00:00Z`}::timestamptz and i.occurred_at < ${`${monthAfter(month)}-01T00:00:00Z`}::timestamptz`
}

/**
 * The next rows of a month, in the order of their keys, after the row with the key `after`; undefined after the last one. Shoppers without
 * a key of the archive get one. Rows and keys are of one snapshot, so a shopper whose erasure runs at the same time is here with its key,
 * which the erasure deletes afterwards, or has its pseudonym of the erasure already.
 */
export async function pageOfMonth(
  db: Database,
  table: LogTableName,
  month: Month,
  after: string | null,
  rowsMax: number,
): Promise<Page | undefined> {
  return db
    .transaction()
    .setIsolationLevel('repeatable read')
    .execute(async (tx) => {
      await lockKeys(tx, 'to make')
      const rows = sql`
        select * from ${sql.table(table)} i where ${isIn(month)} and ${isAfter(table, after)} order by ${keyOf(table)} limit ${rowsMax}`
      await addMissingKeys(tx, table, rows)
      return readPage(tx, table, rows)
    })
}

async function addMissingKeys(tx: Queryable, table: LogTableName, rows: Sql): Promise<void> {
  const { names, texts } = ARCHIVED_TABLES[table]
  const ids = sql.join(names.map(({ shopperId }) => sql`(${shopperId})`))
  const added = texts === undefined ? sql`` : sql`union all select unnest(${texts})`
  const { rows: missing } = await sql<{ id: string }>`
    select distinct n.id from (${rows}) i cross join lateral (values ${ids} ${added}) as n(id)
    where n.id is not null and not exists (select from archive_shopper a where a.shopper_id = n.id)`.execute(tx)
  if (missing.length > 0)
    await addKeys(
      tx,
      missing.map(({ id }) => id),
    )
}

async function readPage(tx: Queryable, table: LogTableName, rows: Sql): Promise<Page | undefined> {
  const { key, names, texts, fields, personal, countedBy } = ARCHIVED_TABLES[table]
  const alias = (n: number) => sql.ref(`shopper_${n}`)
  const joins = names.map(
    ({ shopperId }, n) => sql`left join archive_shopper ${alias(n)} on ${alias(n)}.shopper_id = ${shopperId}`,
  )
  const pseudonyms = names.map(({ field }, n) => sql`${hexOf(`shopper_${n}`)} as ${sql.ref(field)}`)
  if (texts !== undefined) {
    joins.push(sql`cross join lateral (
      select json_agg(${hexOf('a')} order by a.pseudonym) as pseudonyms, array_agg(a.key order by a.pseudonym) as keys
      from archive_shopper a where a.shopper_id = any(${texts})) texts`)
    pseudonyms.push(sql`texts.pseudonyms as texts`)
  }
  const plain = Object.entries(fields).map(([name, value]) => sql`${value} as ${sql.ref(name)}`)
  const owner = sql`coalesce(${sql.join(names.map((_, n) => sql`${alias(n)}.key`))})`
  const keys = texts === undefined ? sql`array[${owner}]` : sql`${owner} || texts.keys`
  const answer = await sql<ArchivedRow & { place: string }>`
    select (select row_to_json(l)::text from (select ${sql.join([...pseudonyms, ...plain])}) l) as line,
      p.personal::text as personal, case when p.personal is not null then array_remove(${keys}, null) end as keys, ${countedBy} as "countedBy",
      json_build_array(${sql.join(key.map((one) => sql`i.${sql.ref(one.column)}`))})::text as place
    from (${rows}) i ${sql.join(joins, sql` `)} cross join lateral (select ${personal} as personal) p
    order by ${keyOf(table)}`.execute(tx)
  const [first, last] = [answer.rows[0], answer.rows.at(-1)]
  if (first === undefined || last === undefined) return undefined
  return {
    rows: answer.rows,
    firstKey: first.place,
    lastKey: last.place,
  }
}

const keyOf = (table: LogTableName) => sql.join(ARCHIVED_TABLES[table].key.map(({ column }) => sql`i.${sql.ref(column)}`))

function isAfter(table: LogTableName, place: string | null): Sql {
  if (place === null) return sql`true`
  const values = ARCHIVED_TABLES[table].key.map(({ type }, n) => sql`(${place}::jsonb ->> ${sql.lit(n)})::${sql.raw(type)}`)
  return sql`(${keyOf(table)}) > (${sql.join(values)})`
}

/** How many rows a month has, by what the manifest counts them. */
export async function countsOfMonth(db: Database, table: LogTableName, month: Month): Promise<Record<string, number>> {
  const { rows } = await db.transaction().execute(async (tx) => {
    await allowLongStatements(tx)
    return sql<{ countedBy: string; rows: string }>`
      select ${ARCHIVED_TABLES[table].countedBy} as "countedBy", count(*) as rows from ${sql.table(table)} i
      where ${isIn(month)} group by 1 order by 1`.execute(tx)
  })
  return Object.fromEntries(rows.map(({ countedBy, rows: count }) => [countedBy, Number(count)]))
}
