import { sql } from 'kysely'
import {
  counterColumns,
  COUNTERS,
  countersOf,
  dayOf,
  daysOf,
  hourOf,
  scoreOf,
  trendingOf,
  trendingSpreadOf,
  weighed,
} from '../popularity/cells.ts'
import { countedEvents } from '../popularity/product-event.ts'
import { type Aggregate, comparedAggregate, exact, found, within } from './drift.ts'

/** The start of the cell of an instant under the rules r: its hour, or its day when the hour was rolled up. */
function startOf(instant: ReturnType<typeof sql>) {
  return sql`case when ${instant} < r.rolled_to then ${dayOf(instant)} else ${hourOf(instant)} end`
}

/** 2 to the power of the half-lives from one instant to another. */
function growth(from: ReturnType<typeof sql>, to: ReturnType<typeof sql>) {
  return sql`power(2::float8, date_part('epoch', ${to} - ${from}) / 3600 / r.half_life_hours)`
}

/** Every counted product event of the log as cells of product, hour or day, and type; cells that begin before the horizon are left out. */
const replayedCells = sql`
  select e.product_id, s.start, e.event_type, count(*)::int as events,
    sum(${growth(sql`s.start`, sql`e.occurred_at`)}) as decayed,
    max(e.occurred_at) as last_at, max(e.counted_at) as counted_at
  from (${countedEvents}) e cross join popularity_rules r cross join log_horizon l
    cross join lateral (select ${startOf(sql`e.occurred_at`)} as start) s
  where e.occurred_at >= l.horizon and s.start >= l.horizon
  group by 1, 2, 3`

/** The stored cells in the same form. An hour that is not yet rolled up belongs to its day already. */
const storedCells = sql`
  select c.product_id, s.start, c.event_type, sum(c.events) as events,
    sum(c.decayed * ${growth(sql`s.start`, sql`c.hour`)}) as decayed
  from product_cell c cross join popularity_rules r cross join lateral (select ${startOf(sql`c.hour`)} as start) s
  group by 1, 2, 3`

export const PRODUCT_HOUR = comparedAggregate({
  table: 'product_hour',
  key: ['product_id', 'hour', 'event_type'],
  stored: sql`
    select h.* from product_hour h cross join popularity_rules r cross join log_horizon l
    where h.hour >= r.rolled_to and h.hour >= l.horizon`,
  expected: sql`
    select c.*, c.start as hour from (${replayedCells}) c cross join popularity_rules r where c.start >= r.rolled_to`,
  cells: [exact('events'), within('decayed', sql`e.decayed`)],
})

/** Days, with the hours that are not yet rolled up into them. Without days there is nothing to compare, which spares a pass over the log. */
const DAYS = comparedAggregate({
  table: 'product_day',
  key: ['product_id', 'day', 'event_type'],
  stored: sql`
    select c.* from (${daysOf(sql`(
      select product_id, day as hour, event_type, events, decayed from product_day
      union all
      select product_id, hour, event_type, events, decayed from product_hour
      where hour < (select rolled_to from popularity_rules))`)}) c cross join log_horizon l where c.day >= l.horizon`,
  expected: sql`
    select c.*, c.start as day from (${replayedCells}) c cross join popularity_rules r where c.start < r.rolled_to`,
  cells: [exact('events'), within('decayed', sql`e.decayed`)],
})
export const PRODUCT_DAY: Aggregate = {
  ...DAYS,
  prove: async (tx, log) => (log.hasDays ? DAYS.prove(tx, log) : found(0, [])),
}

/** Products, compared with the cells stored from before the horizon and replayed from after it. */
export const PRODUCT_POPULARITY = comparedAggregate({
  table: 'product_popularity',
  key: ['product_id'],
  stored: sql`select * from product_popularity`,
  expected: sql`
    select f.*, f.kept_start + case when f.kept_start < r.rolled_to then interval '1 day' else interval '1 hour' end as kept_end
    from (
      select c.product_id, ${scoreOf}, ${trendingOf}, ${trendingSpreadOf}, ${countersOf}, sum(c.events),
        max(c.last_at), max(c.counted_at), max(c.kept_start)
      from (
        select product_id, start as hour, event_type, events, decayed, last_at, counted_at, null::timestamptz as kept_start
        from (${replayedCells}) replayed
        union all
        select product_id, start, event_type, events, decayed, null, null, start
        from (${storedCells}) kept cross join log_horizon l where start < l.horizon
      ) c cross join popularity_rules r ${weighed}
      group by c.product_id
    ) f (product_id, score_micros, trending, spread, ${counterColumns}, interaction_count,
      last_interaction, date_updated, kept_start)
    cross join popularity_rules r`,
  cells: [
    exact('score_micros'),
    within('trending', sql`e.spread`),
    ...COUNTERS.map(exact),
    exact('interaction_count'),
    {
      column: 'last_interaction',
      differs: sql`case when e.last_interaction is null
        then s.last_interaction < e.kept_start or s.last_interaction >= e.kept_end
        else s.last_interaction is distinct from e.last_interaction end`,
    },
    {
      column: 'date_updated',
      differs: sql`case when e.kept_start is null
        then s.date_updated is distinct from e.date_updated else s.date_updated < e.date_updated end`,
    },
  ],
})
