import { sql } from 'kysely'

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
