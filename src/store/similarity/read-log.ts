import { sql } from 'kysely'
import type { Database, Queryable } from '../database/connection.ts'
import { onlyRow } from '../database/rows.ts'
import { allowLongStatements } from '../database/transaction.ts'
import { type LogSnapshot, readSnapshot } from './log-snapshot.ts'

/** A part of the log: JSON lists with one value for each event, the newest event first. */
export interface EventPage {
  events: number
  shoppers: string
  products: string
  /** Days since 1970, UTC. */
  days: string
  /** The basket of each purchase; null for other events. */
  baskets: string
  /** Milliseconds since 1970; an empty list unless they were asked for. */
  times: string
}

/** A part of the catalog: JSON lists with one value for each product. */
export interface ProductPage {
  products: string
  categories: string
  brands: string
}

export interface ReadOptions {
  /** The newest events that are read. */
  eventsMax: number
  /** Versions are made without them. */
  withTimes?: boolean
}

/** Takes what is read. When it throws, reading ends with its error. */
export interface LogConsumer {
  takeEvents: (page: EventPage) => Promise<void>
  takeProducts: (page: ProductPage) => Promise<void>
}

/**
 * Larger pages cost no less per row. One is a few hundred KB of text, which this process passes on as it is: to read rows one by one
 * took it ten times as long.
 */
const PAGE_ROWS = 4_000

/**
 * Reads the product events whose types have a weight above 0, newest first, and the products of the catalog, in one snapshot. Each page
 * follows the one before by the primary key of the log, month by month backwards, so that nothing is sorted and nothing is held but a page.
 */
export async function readLog(
  db: Database,
  { eventsMax, withTimes = false }: ReadOptions,
  consumer: LogConsumer,
): Promise<LogSnapshot & ReadEvents> {
  return db
    .transaction()
    .setIsolationLevel('repeatable read')
    .setAccessMode('read only')
    .execute(async (tx) => {
      await allowLongStatements(tx)
      // A sort would have to read the whole log before the first row. Compiling takes longer than a page.
      await sql`set local enable_sort = off`.execute(tx)
      await sql`set local jit = off`.execute(tx)
      const snapshot = await readSnapshot(tx)
      const read = await readEvents(tx, snapshot, { eventsMax, withTimes }, consumer)
      await readProducts(tx, consumer)
      return { ...snapshot, ...read }
    })
}

/** The shopper of an event; a session that was merged belongs to its account. */
export const SHOPPER = sql`
  case when i.account_id is not null then 'account:' || i.account_id else coalesce(
    'account:' || (select r.account_id from shopper_redirect r where r.session_id = i.session_id), 'session:' || i.session_id) end`

/** What was bought together: the purchases of one order, of one session, or else of one shopper at one instant. */
export const BASKET = sql`
  case when i.event_type = 'purchase' then coalesce('order:' || (i.metadata ->> 'order_id'), 'session:' || i.session_id,
    'account:' || i.account_id || ' ' || extract(epoch from i.occurred_at)) end`

export const DAY = sql`floor(extract(epoch from i.occurred_at) / 86400)::int`

const TIMES = sql`json_agg(floor(extract(epoch from occurred_at) * 1000)::bigint)::text`

/** A place in the log: the key of an event. */
export interface LogPlace {
  at: string
  eventId: string
}

export interface ReadEvents {
  /** How many were read. */
  events: number
  /** The oldest event that was read, if older ones were left out because of the bound. */
  oldest: LogPlace | undefined
}

const FIRST_PLACE: LogPlace = { at: 'infinity', eventId: 'ffffffff-ffff-ffff-ffff-ffffffffffff' }

async function readEvents(
  tx: Queryable,
  { horizon, eventTypes }: LogSnapshot,
  { eventsMax, withTimes }: Required<ReadOptions>,
  { takeEvents }: LogConsumer,
): Promise<ReadEvents> {
  let place = FIRST_PLACE
  for (let events = 0; ;) {
    const { at, eventId } = place
    const rowsMax = Math.min(PAGE_ROWS, eventsMax - events)
    if (rowsMax === 0) return { events, oldest: place }
    const result = await sql<EventPage & LogPlace>`
      select count(*)::int as events, min(occurred_at)::text as at, (array_agg(event_id))[count(*)] as "eventId",
        json_agg(shopper)::text as shoppers, json_agg(product)::text as products, json_agg(day)::text as days,
        json_agg(basket)::text as baskets, ${withTimes ? TIMES : sql`'[]'`} as times
      from (
        select i.occurred_at, i.event_id, ${SHOPPER} as shopper, i.ref_id as product, ${DAY} as day, ${BASKET} as basket
        from interaction i
        where not i.is_category and i.event_type = any(${eventTypes}::text[]) and i.occurred_at >= ${horizon}
          and i.occurred_at <= ${at}::timestamptz and (i.occurred_at, i.event_id) < (${at}::timestamptz, ${eventId}::uuid)
        order by i.occurred_at desc, i.event_id desc limit ${rowsMax}) page`.execute(tx)
    const { at: nextAt, eventId: nextId, ...page } = onlyRow(result)
    if (page.events > 0) await takeEvents(page)
    events += page.events
    if (page.events < rowsMax) return { events, oldest: undefined }
    place = { at: nextAt, eventId: nextId }
  }
}

/** Hidden products too, because they may be shown again before the next run. */
async function readProducts(tx: Queryable, { takeProducts }: LogConsumer): Promise<void> {
  for (let after = ''; ;) {
    const result = await sql<ProductPage & { count: number; last: string }>`
      select count(*)::int as count, max(product_id) as last, json_agg(product_id)::text as products,
        json_agg(category)::text as categories, json_agg(brand)::text as brands
      from (
        select product_id, category, brand from catalog.product
        where product_id > ${after} and status <> 'deleted' and (category is not null or brand is not null)
        order by product_id limit ${PAGE_ROWS}) page`.execute(tx)
    const { count, last, ...page } = onlyRow(result)
    if (count === 0) return
    await takeProducts(page)
    if (count < PAGE_ROWS) return
    after = last
  }
}
