import { sql } from 'kysely'
import type { BatchBounds } from '../log/backlog.ts'
import { type Database, isRefusal, type Store } from '../database/connection.ts'
import { lockFor } from '../database/locks.ts'
import { productInteractions, searchImpressions } from './product-event.ts'

/** A group's limits keep the transaction, and with it the locks on hot products, well under a second. */
export const GROUP_BATCHES_MAX = 64
export const GROUP_EVENTS_MAX = 16_000

/**
 * Counts a recorded batch once, and takes waiting ones along: hot products are then locked once per group instead of
 * once per batch. Either the whole group is counted and marked, or nothing is.
 * @returns what was counted; nothing when the batch was counted before.
 * @throws when there is no such batch.
 */
export async function scoreBatch(db: Store, own: BatchBounds): Promise<GroupSize> {
  return inGroupOrAlone((othersMax) =>
    db.transaction().execute(async (tx) => {
      await lockFor(tx, 'rules', 'shared')
      const group = await claimGroup(tx, own, { done: 'scored_at', othersMax })
      if (group === undefined) return NOTHING
      await countGroup(tx, group)
      return sizeOf(group)
    }),
  )
}

/** A batch that PostgreSQL refuses to count must block itself alone, and not every group that takes it along. */
export async function inGroupOrAlone<T>(work: (othersMax: number) => Promise<T>): Promise<T> {
  try {
    return await work(GROUP_BATCHES_MAX - 1)
  } catch (error) {
    if (!isRefusal(error)) throw error
    return work(0)
  }
}

/** How much one transaction counted or fed. */
export interface GroupSize {
  batches: number
  events: number
}

export const NOTHING: GroupSize = { batches: 0, events: 0 }

export function sizeOf(group: Group): GroupSize {
  return { batches: group.ids.length, events: group.events }
}

interface Group {
  ids: string[]
  events: number
  from: string
  to: string
  hasSearches: boolean
}

/**
 * Locks the own batch, then others that wait and that nobody holds. Own first, then only what is free: two groups never
 * wait for each other. Undefined when the own batch is done.
 */
export async function claimGroup(
  tx: Database,
  own: BatchBounds,
  { done, othersMax }: { done: 'scored_at' | 'fed_at'; othersMax: number },
): Promise<Group | undefined> {
  const claimed = await sql<{ isDone: boolean; events: number; isSearch: boolean }>`
    select ${sql.ref(done)} is not null as "isDone", events, is_search as "isSearch" from interaction_batch
    where batch_id = ${own.batchId} for update`.execute(tx)
  const batch = claimed.rows[0]
  if (batch === undefined) throw new Error(`there is no batch ${own.batchId}`)
  if (batch.isDone) return undefined
  const { rows: others } = await sql<{ batchId: string; from: Date; to: Date; events: number; isSearch: boolean }>`
    select batch_id as "batchId", occurred_from as "from", occurred_to as "to", events, is_search as "isSearch"
    from interaction_batch
    where ${sql.ref(done)} is null and batch_id <> ${own.batchId}
    order by batch_id limit ${othersMax} for update skip locked`.execute(tx)
  const group: Group = { ids: [own.batchId], events: batch.events, from: own.from, to: own.to, hasSearches: batch.isSearch }
  for (const other of others) {
    if (group.events + other.events > GROUP_EVENTS_MAX) break
    group.events += other.events
    group.ids.push(other.batchId)
    group.hasSearches ||= other.isSearch
    if (other.from.toISOString() < group.from) group.from = other.from.toISOString()
    if (other.to.toISOString() > group.to) group.to = other.to.toISOString()
  }
  return group
}

/**
 * Marks the group, adds its events up per product and hour, and moves the aggregates in key order; hours that were rolled up go
 * to their day. Costs one pass over the group's rows and one index probe per product and per product, hour and type. No read
 * comes before a write: what is stored moves by SQL arithmetic.
 */
async function countGroup(tx: Database, group: Group): Promise<void> {
  await sql`
    with scored as (
      update interaction_batch set scored_at = now() where batch_id = any(${group.ids}::bigint[])
    ), cell as materialized (${cellsOf(eventsOf(group))}
    ), hours as (
      insert into product_hour as h (product_id, hour, event_type, events, decayed)
      select product_id, hour, event_type, events, decayed from cell
      where hour >= (select rolled_to from popularity_rules) order by product_id, hour, event_type
      on conflict (product_id, hour, event_type) do update
        set events = h.events + excluded.events, decayed = h.decayed + excluded.decayed
    ), days as (
      insert into product_day as d (product_id, day, event_type, events, decayed)
      ${daysOf(sql`(select * from cell where hour < (select rolled_to from popularity_rules))`)}
      ${addToDay}
    )
    insert into product_popularity as p (product_id, score_micros, trending,
      ${sql.raw(COUNTERS.join(', '))}, interaction_count, last_interaction, date_updated)
    select c.product_id, ${scoreOf}, ${trendingOf}, ${countersOf}, sum(c.events), max(c.last_at), now()
    from cell c cross join popularity_rules r ${weighed}
    group by c.product_id order by c.product_id
    ${addToProduct}`.execute(tx)
}

/** The group's events. Only a group with batches of searches looks for any: for the others they cost nothing. */
function eventsOf({ ids, from, to, hasSearches }: Group): ReturnType<typeof sql> {
  const interactions = productInteractions(sql`i.batch_id = any(${ids}::bigint[]) and i.occurred_at between ${from} and ${to}`)
  if (!hasSearches) return interactions
  return sql`${interactions} union all
    ${searchImpressions(sql`s.batch_id = any(${ids}::bigint[]) and s.occurred_at between ${from} and ${to}`)}`
}

/** Events e of products, added up per product, hour and type. `more` are further sums. */
export function cellsOf(events: ReturnType<typeof sql>, more = sql``): ReturnType<typeof sql> {
  const hour = hourOf(sql`e.occurred_at`)
  return sql`
      select e.product_id, ${hour} as hour, e.event_type, count(*)::int as events,
        sum(power(2::float8, date_part('epoch', e.occurred_at - ${hour}) / 3600 / r.half_life_hours)) as decayed,
        max(e.occurred_at) as last_at ${more}
      from (${events}) e cross join popularity_rules r
      group by 1, 2, 3`
}

/** Cells per hour as cells per day, in key order: product_id, day, event_type, events, decayed. */
export function daysOf(cells: ReturnType<typeof sql>) {
  return sql`
      select c.product_id, ${dayOf(sql`c.hour`)} as day, c.event_type, sum(c.events)::int as events,
        sum(c.decayed * power(2::float8, date_part('epoch', c.hour - ${dayOf(sql`c.hour`)}) / 3600 / r.half_life_hours)) as decayed
      from ${cells} c cross join popularity_rules r
      group by 1, 2, 3 order by 1, 2, 3`
}

/** What is added to a day d that has a row already. */
export const addToDay = sql`
      on conflict (product_id, day, event_type) do update
        set events = d.events + excluded.events, decayed = d.decayed + excluded.decayed`

/** The UTC day of an instant. */
export function dayOf(instant: ReturnType<typeof sql>) {
  return sql`date_bin('1 day', ${instant}, '2000-01-01 00:00:00+00')`
}

/** The hour of an instant, the same in every time zone. */
export function hourOf(instant: ReturnType<typeof sql>) {
  return sql`date_bin('1 hour', ${instant}, '2000-01-01 00:00:00+00')`
}

/** Joins the weight in force (w) and the counter (t) of each cell c, under the rules r. */
export const weighed = sql`
  left join weight w on w.version = r.weights_version and w.event_type = c.event_type
  left join event_type t on t.event_type = c.event_type`

/** Σ weight of cells c, in millionths. */
export const scoreOf = sql`sum(coalesce(w.weight_micros, 0) * c.events)::bigint`

/**
 * What a cell c weighs at the landmark: decayed · 2^((hour − landmark) / half-life). An exponent below −1074 is an error in
 * PostgreSQL, and not 0; a short half-life in a long window has them.
 */
const atLandmark = sql`c.decayed
  * power(2::float8, greatest(date_part('epoch', c.hour - r.landmark) / 3600 / r.half_life_hours, -1000))`

/** Σ weight · 2^((t − landmark) / half-life) of the cells inside the window. Only those are raised to a power. */
export const trendingOf = sql`coalesce(
  sum(w.weight_micros / 1e6::float8 * ${atLandmark}) filter (where c.hour >= r.edge), 0)`

/** The same with the weights' sizes: what a difference in trending is measured by. */
export const trendingSpreadOf = sql`coalesce(
  sum(abs(w.weight_micros) / 1e6::float8 * ${atLandmark}) filter (where c.hour >= r.edge), 0)`

/** The counters of a product. */
export const COUNTERS = [
  'view_count',
  'purchase_count',
  'favorite_count',
  'cart_count',
  'review_count',
  'search_click_count',
  'search_count',
] as const

/** The counters of cells c, in their order. */
export const countersOf = sql.join(COUNTERS.map(counterOf))

/** What one of them counts in cells c. */
export function counterOf(counter: string) {
  return sql`coalesce(sum(c.events) filter (where t.counter = ${sql.lit(counter)}), 0)`
}

/** What a counted group adds to a product p that has a row already. */
export const addToProduct = sql`
    on conflict (product_id) do update set
      score_micros = p.score_micros + excluded.score_micros,
      trending = p.trending + excluded.trending,
      view_count = p.view_count + excluded.view_count,
      purchase_count = p.purchase_count + excluded.purchase_count,
      favorite_count = p.favorite_count + excluded.favorite_count,
      cart_count = p.cart_count + excluded.cart_count,
      review_count = p.review_count + excluded.review_count,
      search_click_count = p.search_click_count + excluded.search_click_count,
      search_count = p.search_count + excluded.search_count,
      interaction_count = p.interaction_count + excluded.interaction_count,
      last_interaction = greatest(p.last_interaction, excluded.last_interaction),
      date_updated = greatest(p.date_updated, excluded.date_updated)`
