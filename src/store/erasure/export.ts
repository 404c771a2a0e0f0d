import { sql } from 'kysely'
import { isKeptAboutPerson, personOf } from '../../admission/person-in-item.ts'
import type { Queryable } from '../database/connection.ts'
import type { Month } from '../log/month.ts'
import { shopperOf } from '../shoppers/shopper-of-event.ts'
import { shoppersOfPerson } from './fence.ts'
import { PROVIDERS } from './log-parts.ts'
import { firstDayOf, monthsAfter } from './months.ts'
import { pageAfter } from './rejected.ts'

const PAGE_ROWS = 500

/** Runs one short read, e.g. in turn with those of other callers. */
export type Read = <T>(work: (db: Queryable) => Promise<T>) => Promise<T>

/**
 * Everything that is kept about a person, as lines of JSON: `{"table":…,"row":…}`. PostgreSQL makes the text, so that no number is rounded. It reads
 * in pages, by keys: memory and locks do not grow with what the person did, and each page is a read of its own.
 */
export async function* exportPerson(read: Read, shopperId: string): AsyncGenerator<string> {
  const ids = await read((db) => shoppersOfPerson(db, shopperId))
  for (const { table, rows, keys } of SMALL_TABLES) yield* pagesOf(read, table, keys, rows(ids))
  for (const { table, rows, keys } of LOG) {
    for (const month of await read((db) => monthsAfter(db, table, null))) {
      yield* pagesOf(read, table, keys, sql`select * from (${rows(ids)}) i where ${isIn(month)}`)
    }
  }
  yield* rejectedOf(read, ids)
}

type Sql = ReturnType<typeof sql>

const isShopper = (ids: readonly string[]) => sql`${shopperOf(sql`account_id`, sql`session_id`)} = any(${ids}::text[])`
const bareOf = (ids: readonly string[]) => ids.map((id) => id.slice(id.indexOf(':') + 1))

const SMALL_TABLES: readonly { table: string; keys: readonly string[]; rows: (ids: readonly string[]) => Sql }[] = [
  {
    table: 'shopper_redirect',
    keys: ['session_id'],
    rows: (ids) => sql`select * from shopper_redirect where 'account:' || account_id = any(${ids}::text[])`,
  },
  {
    table: 'shopper_product',
    keys: ['shopper_id', 'product_id', 'event_type'],
    rows: (ids) => sql`select * from shopper_product where shopper_id = any(${ids}::text[])`,
  },
  {
    table: 'shopper_recent',
    keys: ['shopper_id', 'occurred_at', 'event_id'],
    rows: (ids) => sql`select * from shopper_recent where shopper_id = any(${ids}::text[])`,
  },
  {
    table: 'payment_callback',
    keys: ['callback_no'],
    rows: (ids) => sql`select * from payment_callback where ${isShopper(ids)}`,
  },
]

const LOG: readonly {
  table: 'interaction' | 'search' | 'analytics_event'
  keys: readonly string[]
  rows: (ids: readonly string[]) => Sql
}[] = [
  {
    table: 'interaction',
    keys: ['occurred_at', 'event_id'],
    rows: (ids) => sql`select * from interaction where ${isShopper(ids)}`,
  },
  { table: 'search', keys: ['occurred_at', 'event_id'], rows: (ids) => sql`select * from search where ${isShopper(ids)}` },
  {
    table: 'analytics_event',
    keys: ['occurred_at', 'source_id', 'external_ref'],
    rows: (ids) => sql`
      select * from analytics_event where not coalesce(source_id = any(${PROVIDERS}) and payload ? 'payment_ref', false)
        and (entity_id = any(${bareOf(ids)}::text[])
          or jsonb_path_exists(payload, '$.** ? (@ == $ids[*])', ${JSON.stringify({ ids: bareOf(ids) })}::jsonb))`,
  },
]

function isIn(month: Month): Sql {
  const firstDay = firstDayOf(month)
  return sql`i.occurred_at >= ${`${firstDay}T00:00:00Z`}::timestamptz and i.occurred_at < (${firstDay}::date + interval '1 month') at time zone 'UTC'`
}

/** The rows of a query as lines, in pages by its keys. */
async function* pagesOf(read: Read, table: string, keys: readonly string[], rows: Sql): AsyncGenerator<string> {
  const key = sql.join(keys.map((column) => sql.ref(column)))
  for (let after: string | undefined; ;) {
    // A row of the last key as PostgreSQL writes it, which compares with the types of the columns.
    const last = sql.join(
      keys.map((column) => sql`(jsonb_populate_record(null::${sql.table(table)}, ${after}::jsonb)).${sql.ref(column)}`),
    )
    const isNext = after === undefined ? sql`true` : sql`(${key}) > (${last})`
    const { rows: page } = await read((db) =>
      sql<{ line: string; key: string }>`
        select json_build_object('table', ${table}::text, 'row', row_to_json(r))::text as line,
          json_build_object(${sql.join(keys.flatMap((column) => [sql.lit(column), sql.ref(column)]))})::text as key
        from (select * from (${rows}) q where ${isNext} order by ${key} limit ${PAGE_ROWS}) r`.execute(db),
    )
    for (const { line } of page) yield line
    if (page.length < PAGE_ROWS) return
    after = page.at(-1)!.key
  }
}

async function* rejectedOf(read: Read, shopperIds: readonly string[]): AsyncGenerator<string> {
  const person = personOf(shopperIds)
  for (let place: string | null = null; ;) {
    const page: Awaited<ReturnType<typeof pageAfter>> = await read((db) => pageAfter(db, place, person))
    for (const { batchId, index, kind, code, item, message } of page.found) {
      if (!isKeptAboutPerson(item, person)) continue
      yield JSON.stringify({ table: 'rejected_interaction', row: { batch_id: batchId, index, kind, code, message, item } })
    }
    if (page.last === null) return
    place = page.last
  }
}
