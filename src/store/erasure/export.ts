import { sql } from 'kysely'
import { isKeptAboutPerson, personOf } from '../../admission/person-in-item.ts'
import type { Month } from '../log/month.ts'
import { PROVIDERS } from '../payments/providers.ts'
import { shopperOf } from '../shoppers/shopper-of-event.ts'
import { pagesOf, type Read, scannedPagesOf, type Sql, type Table } from './export-pages.ts'
import { shoppersOfPerson } from './fence.ts'
import { firstDayOf, monthsAfter } from './months.ts'
import { pageAfter } from './rejected.ts'

/**
 * Everything that is kept about a person, as lines of JSON: `{"table":…,"row":…}`. PostgreSQL makes the text, so that no number is rounded. It reads
 * in pages, by keys: memory and locks do not grow with what the person did, and each page is a read of its own.
 */
export async function* exportPerson(read: Read, shopperId: string): AsyncGenerator<string> {
  const ids = await read((db) => shoppersOfPerson(db, shopperId))
  for (const { isOf, ...table } of SMALL_TABLES) yield* pagesOf(read, table, isOf(ids))
  for (const { isOf, ...table } of LOG) {
    for (const month of await read((db) => monthsAfter(db, table.name, null))) {
      yield* scannedPagesOf(read, table, sql`${isIn(month)}`, isOf(ids))
    }
  }
  yield* scannedPagesOf(read, SNAPSHOTS, sql`dimension_key = 'entity'`, isEntity(ids))
  yield* rejectedOf(read, ids)
}

/** In a list that PostgreSQL hashes, so that each row costs the same, however many ids the person has. */
const isOneOf = (column: Sql, texts: readonly string[]) => sql`${column} in (select unnest(${texts}::text[]))`
const isShopper = (ids: readonly string[]) => isOneOf(shopperOf(sql`account_id`, sql`session_id`), ids)
const bareOf = (ids: readonly string[], prefix = '') =>
  ids.filter((id) => id.startsWith(prefix)).map((id) => id.slice(prefix === '' ? id.indexOf(':') + 1 : prefix.length))
const isEntity = (ids: readonly string[]) => isOneOf(sql`dimension_value`, bareOf(ids))

type Found<Name extends string = string> = Table<Name> & { isOf: (ids: readonly string[]) => Sql }

/** Their rows are found by an index. */
const SMALL_TABLES: readonly Found[] = [
  {
    name: 'shopper_redirect',
    keys: ['session_id'],
    isOf: (ids) => sql`account_id = any(${bareOf(ids, 'account:')}::text[])`,
  },
  {
    name: 'shopper_product',
    keys: ['shopper_id', 'product_id', 'event_type'],
    isOf: (ids) => sql`shopper_id = any(${ids}::text[])`,
  },
  {
    name: 'shopper_recent',
    keys: ['shopper_id', 'occurred_at', 'event_id'],
    isOf: (ids) => sql`shopper_id = any(${ids}::text[])`,
  },
  {
    name: 'impression',
    keys: ['recommendation_id'],
    isOf: (ids) => sql`shopper_id = any(${ids}::text[])`,
  },
  {
    name: 'payment_callback',
    keys: ['callback_no'],
    isOf: (ids) => sql`callback_no in (${paymentsOf(ids)})`,
  },
]

/** The callbacks of a person. The order is the shopper of a callback that names none, unless another callback of the payment names one. */
function paymentsOf(ids: readonly string[]): Sql {
  const accounts = sql`${bareOf(ids, 'account:')}::text[]`
  const sessions = sql`${bareOf(ids, 'session:')}::text[]`
  return sql`
    select callback_no from payment_callback where account_id = any(${accounts})
    union select callback_no from payment_callback where account_id is null and session_id = any(${sessions})
    union select callback_no from payment_callback p
      where account_id is null and session_id is null and order_id = any(${bareOf(ids, 'session:order:')}::text[])
        and not exists (
          select from payment_callback n where n.provider = p.provider and n.payment_ref = p.payment_ref
            and coalesce(n.account_id, n.session_id) is not null
            and not case when n.account_id is null then n.session_id = any(${sessions}) else n.account_id = any(${accounts}) end)`
}

const LOG: readonly Found<'interaction' | 'search' | 'analytics_event'>[] = [
  { name: 'interaction', keys: ['occurred_at', 'event_id'], isOf: isShopper },
  { name: 'search', keys: ['occurred_at', 'event_id'], isOf: isShopper },
  { name: 'analytics_event', keys: ['occurred_at', 'source_id', 'external_ref'], isOf: isAnalyticsEventOf },
]

/** An event of a payment belongs to the person of the payment; any other one is about its entity and the texts of its payload. */
function isAnalyticsEventOf(ids: readonly string[]): Sql {
  const bare = bareOf(ids)
  const texts = sql`select t #>> '{}' from jsonb_path_query(payload, 'strict $.** ? (@.type() == "string")') t`
  return sql`case when coalesce(source_id = any(${PROVIDERS}) and payload ? 'payment_ref', false)
    then (source_id, external_ref) in (
      select s.source_id, p.callback_id from payment_callback p join event_source s on s.slug = p.provider where callback_no in (${paymentsOf(ids)}))
    else ${isOneOf(sql`entity_id`, bare)}
      or ${JSON.stringify(Object.fromEntries(bare.map((id) => [id, 0])))}::jsonb ?| array(${texts}) end`
}

/** Rows that name a person, and that an erasure renames. */
const SNAPSHOTS: Table = {
  name: 'metric_snapshot',
  keys: ['report_slug', 'bucket_window', 'dimension_key', 'metric', 'bucket', 'dimension_value'],
}

function isIn(month: Month): Sql {
  const firstDay = firstDayOf(month)
  return sql`occurred_at >= ${`${firstDay}T00:00:00Z`}::timestamptz and occurred_at < (${firstDay}::date + interval '1 month') at time zone 'UTC'`
}

async function* rejectedOf(read: Read, shopperIds: readonly string[]): AsyncGenerator<string> {
  const person = personOf(shopperIds)
  for (let place: string | null = null; ;) {
    const page: Awaited<ReturnType<typeof pageAfter>> = await read((db) => pageAfter(db, place))
    for (const { batchId, index, kind, code, item, message } of page.items) {
      if (!isKeptAboutPerson(item, person)) continue
      yield JSON.stringify({ table: 'rejected_interaction', row: { batch_id: batchId, index, kind, code, message, item } })
    }
    if (page.last === null) return
    place = page.last
  }
}
