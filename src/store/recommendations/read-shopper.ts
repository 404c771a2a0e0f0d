import { invalidField } from '../../contract/decided-error.ts'
import type { NamedShopper } from '../../contract/fields/named-shopper.ts'
import type { ProfileRow } from '../../ranking/recommend/history.ts'
import { SCORE_DEFAULTS } from '../../ranking/recommend/score.ts'
import { SESSIONS_MAX, SHOPPER_EVENTS_MAX, type ShopperEvent } from '../../ranking/shopper-event.ts'
import type { Queryable } from '../database/connection.ts'
import { fixedStatement } from '../database/fixed-statement.ts'
import { isDistributed } from '../database/is-distributed.ts'
import { gathered } from '../database/gathered.ts'

/** What a recommendation knows of a shopper from PostgreSQL. */
export interface ShopperRead {
  /** The ids under which its events are kept. */
  shopperIds: string[]
  /** The newest 100 of all types, newest first. */
  events: ShopperEvent[]
  /** Products that none of these events that count has, the newest first. */
  profile: ProfileRow[]
  /** Events of the whole profile that count. */
  profileEvents: number
  /** When each product was bought last. */
  orderedAtMs: Map<string, number>
}

/** Reads the shopper of a request. @throws DecidedError when the session is not of the account. */
export type ShopperReader = (named: NamedShopper) => Promise<ShopperRead>

export interface ShopperReaderOptions {
  /** For what all callers share. */
  db: Queryable
  /** How long ago a purchase may be. */
  orderedDays: number
}

/** Shoppers of a statement. */
const SHOPPERS_MAX = 16

/** Reads the shoppers of all callers of the moment in one statement. */
export function createShopperReader({ db, orderedDays }: ShopperReaderOptions): ShopperReader {
  const read = gathered(async (keys: readonly string[]) => {
    const statement = (await isDistributed(db)) ? SHOPPERS_OF_SHARDS : SHOPPERS
    const { rows } = await statement(db, [JSON.stringify(keys.map(namedOf)), orderedDays])
    return new Map(rows.map((row) => [keys[row.n - 1]!, row]))
  }, SHOPPERS_MAX)
  return async (named) => {
    const key = keyOf(named)
    const row = (await read([key])).get(key)!
    if (!row.isOfAccount)
      throw invalidField(
        'session_id',
        'is not a session of the account; merge it first, or name the account or the session alone',
      )
    return shopperOf(row)
  }
}

/** No id is empty, and none has a NUL. */
function keyOf({ account_id: account = '', session_id: session = '' }: NamedShopper): string {
  return `${account}\0${session}`
}

function namedOf(key: string): NamedShopper {
  const [account, session] = key.split('\0')
  return { ...(account !== '' && { account_id: account }), ...(session !== '' && { session_id: session }) }
}

/** Each list is JSON with one value for each event or product. */
interface Row {
  n: number
  isOfAccount: boolean
  shopperIds: string[]
  eventIds: string[] | null
  products: string[] | null
  types: string[] | null
  times: number[] | null
  olderProducts: string[] | null
  olderTypes: string[] | null
  olderTimes: number[] | null
  profileEvents: number
  orderedProducts: string[] | null
  orderedTimes: number[] | null
}

function shopperOf(row: Row): ShopperRead {
  return {
    shopperIds: row.shopperIds,
    events: eventsOf(row),
    profile: (row.olderProducts ?? []).map((productId, at) => ({
      productId,
      eventType: row.olderTypes![at]!,
      lastAtMs: row.olderTimes![at]!,
    })),
    profileEvents: row.profileEvents,
    orderedAtMs: orderedOf(row),
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

/** A product can be there for an account and for its sessions. */
function orderedOf({ orderedProducts, orderedTimes }: Row): Map<string, number> {
  const orderedAtMs = new Map<string, number>()
  orderedProducts?.forEach((productId, at) => {
    orderedAtMs.set(productId, Math.max(orderedTimes![at]!, orderedAtMs.get(productId) ?? 0))
  })
  return orderedAtMs
}

/** Milliseconds since 1970. `extract` gives a numeric, which takes longer than all the rest of a row. */
const msOf = (column: string) => `floor(date_part('epoch', ${column}) * 1000 + 0.0005)::bigint`

/** A shopper of a request, q, with the account a of its session, and all ids of it. Needs no events. */
const ASKED = `
  rows from (json_to_recordset($1::json) as (account_id text, session_id text)) with ordinality as q(account, session, n)
    cross join lateral (select (select account_id from shopper_redirect where session_id = q.session) as account_id) r
    cross join lateral (select coalesce(q.account, r.account_id) as id) a
    cross join lateral (
      select case when a.id is null then array['session:' || q.session] else array['account:' || a.id] || array(
        select 'session:' || m.session_id from shopper_redirect m where m.account_id = a.id
        order by m.merged_at desc, m.session_id limit ${SESSIONS_MAX}) end as ids) own`

const IS_OF_ACCOUNT = `q.account is null or q.session is null or r.account_id is not distinct from q.account as "isOfAccount"`

const TYPES = `(select array(
      select w.event_type from weight w join popularity_rules u on u.weights_version = w.version where w.weight_micros > 0) as counted) types`

/** What is read of the shopper with own.ids, from the newest events, and from the rows of the profile. */
const READ = (newest: string, profile: string) => `
    cross join lateral (
      select json_agg(event_id) as "eventIds", json_agg(product_id) as products, json_agg(event_type) as types,
        json_agg(${msOf('occurred_at')}) as times, array_agg(product_id) filter (where event_type = any(types.counted)) as counted
      from (${newest}) newest) e
    cross join lateral (
      select sum(events) filter (where event_type = any(types.counted)) as events,
        json_agg(product_id) filter (where event_type = 'purchase' and last_at >= now() - $2::float8 * interval '1 day') as "orderedProducts",
        json_agg(${msOf('last_at')}) filter (where event_type = 'purchase' and last_at >= now() - $2::float8 * interval '1 day') as "orderedTimes"
      from ${profile} where shopper_id = any(own.ids)) p
    cross join lateral (
      select json_agg(product_id) as "olderProducts", json_agg(event_type) as "olderTypes", json_agg(${msOf('last_at')}) as "olderTimes"
      from (
        select * from (
          select distinct on (product_id) product_id, event_type, last_at from ${profile}
          where shopper_id = any(own.ids) and event_type = any(types.counted) and product_id <> all(coalesce(e.counted, '{}'))
          order by product_id, last_at desc, event_type) latest
        order by last_at desc, product_id limit ${SCORE_DEFAULTS.historyMax}) older) o`

const COLUMNS = `to_json(own.ids) as "shopperIds", e."eventIds", e.products, e.types, e.times, o."olderProducts", o."olderTypes", o."olderTimes",
    coalesce(p.events, 0)::int as "profileEvents", p."orderedProducts", p."orderedTimes"`

/**
 * Events count when their types have a weight above 0. The text has no lists as parameters, because PostgreSQL would plan it for each length
 * again, which takes longer than to run it.
 *
 * Accounts with their sessions, sessions as their accounts, or sessions alone. Of each shopper it costs one or two index probes, one for each
 * of the newest 100 events, and the profile's rows. The lists are JSON, because the driver takes four times as long for as many rows.
 */
const SHOPPERS = fixedStatement<Row>(`
  select q.n::int, ${IS_OF_ACCOUNT}, ${COLUMNS}
  from ${ASKED} cross join ${TYPES} ${READ(
    `
        select recent.* from unnest(own.ids) as s(id) cross join lateral (
          select event_id, occurred_at, product_id, event_type from shopper_recent
          where shopper_id = s.id and occurred_at >= (select horizon from log_horizon)
          order by occurred_at desc, event_id desc limit ${SHOPPER_EVENTS_MAX}) recent
        order by recent.occurred_at desc, recent.event_id desc limit ${SHOPPER_EVENTS_MAX}`,
    'shopper_product',
  )}`)

/** The same for Citus, which reads the rows of all ids from their shards first. */
const SHOPPERS_OF_SHARDS = fixedStatement<Row>(`
  select * from (with asked as materialized (select q.n::int as n, ${IS_OF_ACCOUNT}, own.ids from ${ASKED}),
    recent as materialized (
      select shopper_id, event_id, occurred_at, product_id, event_type from shopper_recent
      where shopper_id in (select unnest(ids) from asked) and occurred_at >= (select horizon from log_horizon)),
    profile as materialized (
      select shopper_id, product_id, event_type, events, last_at from shopper_product where shopper_id in (select unnest(ids) from asked))
  select own.n, own."isOfAccount", ${COLUMNS}
  from asked own cross join ${TYPES} ${READ(
    `
        select event_id, occurred_at, product_id, event_type from recent where shopper_id = any(own.ids)
        order by occurred_at desc, event_id desc limit ${SHOPPER_EVENTS_MAX}`,
    'profile',
  )}) shopper`)
