import { sql } from 'kysely'
import { invalidField } from '../../contract/decided-error.ts'
import type { NamedShopper } from '../../contract/fields/named-shopper.ts'
import { DAY_MS, instantOf } from '../../contract/fields/time.ts'
import type { ProfileRow } from '../../ranking/recommend/history.ts'
import { SHOPPER_EVENTS_MAX, type ShopperEvent } from '../../ranking/shopper-event.ts'
import type { Queryable } from '../database/connection.ts'
import { onlyRow } from '../database/rows.ts'
import { SESSIONS_MAX } from '../../ranking/shopper-event.ts'

/** What a recommendation knows of a shopper from PostgreSQL. */
export interface ShopperRead {
  /** The ids under which its events are kept. */
  shopperIds: string[]
  /** The newest 100 of all types, newest first. */
  events: ShopperEvent[]
  /** Products that none of these events with a strength has, the newest first. */
  profile: ProfileRow[]
  /** Events of the whole profile that count. */
  profileEvents: number
  /** When each product was bought last. */
  orderedAtMs: Map<string, number>
}

export interface ShopperQuery {
  /** The types of events that count. */
  eventTypes: readonly string[]
  /** Different products of a history. */
  historyMax: number
  /** How long ago a purchase may be. */
  orderedDays: number
  nowMs: number
}

/** Each list is JSON with one value for each event or product. */
interface Row {
  isOfAccount: boolean
  shopperIds: string[]
  eventIds: string[] | null
  products: string[] | null
  types: string[] | null
  times: number[] | null
  profileProducts: string[] | null
  profileTypes: string[] | null
  profileTimes: number[] | null
  profileEvents: number
  orderedProducts: string[] | null
  orderedTimes: number[] | null
}

/**
 * The shopper of a request: an account with its sessions, a session as its account, or a session alone. Costs one or two index probes, one
 * for each of the newest 100 events, and the profile's rows of the shopper. The lists are JSON, because the driver takes four times as
 * long for as many rows. @throws DecidedError when the session is not of the account.
 */
export async function readShopper(db: Queryable, named: NamedShopper, query: ShopperQuery): Promise<ShopperRead> {
  const row = onlyRow(await statementOf(named, query).execute(db))
  if (!row.isOfAccount)
    throw invalidField('session_id', 'is not a session of the account; merge it first, or name the account or the session alone')
  return {
    shopperIds: row.shopperIds,
    events: eventsOf(row),
    profile: (row.profileProducts ?? []).map((productId, at) => ({
      productId,
      eventType: row.profileTypes![at]!,
      lastAtMs: row.profileTimes![at]!,
    })),
    profileEvents: row.profileEvents,
    orderedAtMs: new Map(row.orderedProducts?.map((productId, at) => [productId, row.orderedTimes![at]!])),
  }
}

function eventsOf({ eventIds, products, types, times }: Row): ShopperEvent[] {
  return (eventIds ?? []).map((eventId, at) => ({
    eventId,
    productId: products![at]!,
    eventType: types![at]!,
    occurredAtMs: times![at]!,
  }))
}

/** Milliseconds since 1970. `extract` gives a numeric, which takes longer than all the rest of a row. */
const msOf = (column: string) => sql.raw(`floor(date_part('epoch', ${column}) * 1000 + 0.0005)::bigint`)

/** The text begins with `select`, so that each connection plans it once. */
function statementOf({ account_id, session_id }: NamedShopper, query: ShopperQuery) {
  const { eventTypes, historyMax, orderedDays, nowMs } = query
  const [account, session] = [sql`${account_id ?? null}::text`, sql`${session_id ?? null}::text`]
  const orderedFrom = sql`${instantOf(nowMs - orderedDays * DAY_MS)}::timestamptz`
  return sql<Row>`
    select * from (with account as materialized (
      select ${account} as id where ${account} is not null
      union all
      select account_id from shopper_redirect where session_id = ${session} and ${account} is null
    ), ids as materialized (
      select 'account:' || id as id from account
      union all
      (select 'session:' || r.session_id from shopper_redirect r join account a on r.account_id = a.id
        order by r.merged_at desc, r.session_id limit ${SESSIONS_MAX})
      union all
      select 'session:' || ${session} where not exists (select from account)
    ), recent as materialized (
      select r.* from ids cross join lateral (
        select event_id, occurred_at, product_id, event_type from shopper_recent
        where shopper_id = ids.id and occurred_at >= (select horizon from log_horizon)
        order by occurred_at desc, event_id desc limit ${SHOPPER_EVENTS_MAX}) r
      order by r.occurred_at desc, r.event_id desc limit ${SHOPPER_EVENTS_MAX}
    ), profile as materialized (
      select product_id, event_type, events, last_at from shopper_product
      where shopper_id = any(array(select id from ids)) and (event_type = any(${eventTypes}::text[]) or event_type = 'purchase')
    ), older as (
      select * from (
        select distinct on (product_id) product_id, event_type, last_at from profile
        where event_type = any(${eventTypes}::text[])
          and product_id <> all(array(select product_id from recent where event_type = any(${eventTypes}::text[])))
        order by product_id, last_at desc, event_type) p
      order by last_at desc, product_id limit ${historyMax}
    ), ordered as (
      select product_id, max(last_at) as last_at from profile
      where event_type = 'purchase' and last_at >= ${orderedFrom} group by 1
    )
    select ${account} is null or ${session} is null
        or exists (select from shopper_redirect where session_id = ${session} and account_id = ${account}) as "isOfAccount",
      (select json_agg(id) from ids) as "shopperIds",
      e.*, o.*, b.*, (select coalesce(sum(events), 0)::int from profile where event_type = any(${eventTypes}::text[])) as "profileEvents"
    from (select json_agg(event_id) as "eventIds", json_agg(product_id) as products, json_agg(event_type) as types,
        json_agg(${msOf('occurred_at')}) as times from recent) e
      cross join (select json_agg(product_id) as "profileProducts", json_agg(event_type) as "profileTypes",
        json_agg(${msOf('last_at')}) as "profileTimes" from older) o
      cross join (select json_agg(product_id) as "orderedProducts", json_agg(${msOf('last_at')}) as "orderedTimes" from ordered) b
    ) shopper`
}
