import { sql } from 'kysely'
import { latest, onConflict, plus, type Sums } from '../database/add-rows.ts'

/** Events e of products, added up per product, hour and type, with further sums. */
export function cellsOf(events: ReturnType<typeof sql>, further = sql``): ReturnType<typeof sql> {
  const hour = hourOf(sql`e.occurred_at`)
  return sql`
      select e.product_id, ${hour} as hour, e.event_type, count(*)::int as events,
        sum(power(2::float8, date_part('epoch', e.occurred_at - ${hour}) / 3600 / r.half_life_hours)) as decayed,
        max(e.occurred_at) as last_at${further}
      from (${events}) e cross join popularity_rules r
      group by 1, 2, 3`
}

/** Adds up cells of hours to cells of days, in key order: product_id, day, event_type, events, decayed. */
export function daysOf(cells: ReturnType<typeof sql>) {
  return sql`
      select c.product_id, ${dayOf(sql`c.hour`)} as day, c.event_type, sum(c.events)::int as events,
        sum(c.decayed * power(2::float8, date_part('epoch', c.hour - ${dayOf(sql`c.hour`)}) / 3600 / r.half_life_hours)) as decayed
      from ${cells} c cross join popularity_rules r
      group by 1, 2, 3 order by 1, 2, 3`
}

/** Adds to a day d that has a row already. */
export const addToDay = sql`
      on conflict (product_id, day, event_type) do update
        set events = d.events + excluded.events, decayed = d.decayed + excluded.decayed`

/** The UTC day of an instant. */
export function dayOf(instant: ReturnType<typeof sql>) {
  return sql`date_bin('1 day', ${instant}, '2000-01-01 00:00:00+00')`
}

/** The UTC hour of an instant. */
export function hourOf(instant: ReturnType<typeof sql>) {
  return sql`date_bin('1 hour', ${instant}, '2000-01-01 00:00:00+00')`
}

/** Joins each cell c with its weight (w) and its counter (t) under the rules r. */
export const weighed = sql`
  left join weight w on w.version = r.weights_version and w.event_type = c.event_type
  left join event_type t on t.event_type = c.event_type`

/**
 * Whether the event type of a cell c is among those that a statement selects. They are an array, because a join is planned as if there were one of them.
 * For the products of a category (`isOfFew`) it is no condition of the index: PostgreSQL thinks that the index would be searched once for each type, and
 * reads the hours of all products instead, which takes three times as long.
 */
export function isOfTypes(types: ReturnType<typeof sql>, { isOfFew = false } = {}): ReturnType<typeof sql> {
  return sql`${isOfFew ? sql`(c.event_type || '')` : sql`c.event_type`} = any(array(${types}))`
}

/** Σ weight of cells c, in millionths. */
export const scoreOf = sql`sum(coalesce(w.weight_micros, 0) * c.events)::bigint`

/**
 * The decayed sum of a cell c as of the landmark: decayed · 2^((hour − landmark) / half-life). The exponent is held above −1000,
 * because PostgreSQL fails below −1074, which a short half-life in a long window reaches.
 */
const atLandmark = sql`c.decayed
  * power(2::float8, greatest(date_part('epoch', c.hour - r.landmark) / 3600 / r.half_life_hours, -1000))`

/** Σ weight · 2^((t − landmark) / half-life) of the cells inside the window. Only those cells cost a power. */
export const trendingOf = sql`coalesce(
  sum(w.weight_micros / 1e6::float8 * ${atLandmark}) filter (where c.hour >= r.edge), 0)`

/** The same with the absolute weights. `verify` measures a difference in trending by it. */
export const trendingSpreadOf = sql`coalesce(
  sum(abs(w.weight_micros) / 1e6::float8 * ${atLandmark}) filter (where c.hour >= r.edge), 0)`

/** The counters of a product. A new counter is an entry here, a column in sql/, and a field in the contract. */
export const COUNTERS = [
  'view_count',
  'purchase_count',
  'favorite_count',
  'cart_count',
  'review_count',
  'search_click_count',
  'search_count',
] as const

/** The sums of all counters over cells c, in the order of COUNTERS. */
export const countersOf = sql.join(COUNTERS.map(counterOf))

/** The sum of one counter over cells c. */
export function counterOf(counter: string) {
  return sql`coalesce(sum(c.events) filter (where t.counter = ${sql.lit(counter)}), 0)`
}

/** COUNTERS as a list of columns. */
export const counterColumns = sql.join(COUNTERS.map((counter) => sql.ref(counter)))

/** Sets the counters of a product p to those of a row f. */
export const setCounters = sql.join(COUNTERS.map((counter) => sql`${sql.ref(counter)} = f.${sql.ref(counter)}`))

/** The sums of an hour. */
export const HOURS: Sums = {
  table: 'product_hour',
  key: ['product_id', 'hour', 'event_type'],
  columns: { events: plus, decayed: plus },
}

/** The sums of a product. */
export const PRODUCTS: Sums = {
  table: 'product_popularity',
  key: ['product_id'],
  columns: {
    score_micros: plus,
    trending: plus,
    ...Object.fromEntries(COUNTERS.map((counter) => [counter, plus])),
    interaction_count: plus,
    last_interaction: latest,
    date_updated: latest,
  },
}

/** Adds a counted group to a product p that has a row already. */
export const addToProduct = onConflict(PRODUCTS, 'p')
