import { type RawBuilder, sql } from 'kysely'
import { instantOf } from '../../contract/fields/time.ts'
import { type Span, spanOf } from '../../ranking/span.ts'
import type { Database, Queryable } from '../database/connection.ts'
import { onlyRow } from '../database/rows.ts'
import { isOfTypes } from './cells.ts'
import { rolledToMsOf } from './roll-up.ts'
import { allowLongStatements } from '../database/transaction.ts'

/** Events that are added to both sides of the ratio, so that few events alone cannot make a large ratio. */
const PRIOR_EVENTS = 10
/** As many events as predicted. */
export const RISING_MIN = 1

/**
 * Products with more attention in the last 24 hours than the 7 days before predict: (x + k) / (e + k), x the events of the types
 * with a positive weight, e what they would be at the rate of the 7 days, k = 10. That is the mean of a Poisson rate's ratio to its
 * prediction under a gamma prior of mean 1 (W. DuMouchel, Bayesian data mining in large frequency tables, The American Statistician
 * 53(3), 1999): 3 → 6 events a day is 1.23, 300 → 900 is 2.94. `which` is a condition on the cells c.
 */
export function risingOf(
  { instantMs, toMs, lastDayMs, weekBeforeMs, isOfHours }: Span,
  which = sql`true`,
  options: { isOfFew?: boolean } = {},
): RawBuilder<unknown> {
  // The current hour is predicted for the part of it that has passed.
  const expectedPart = (instantMs - lastDayMs) / (lastDayMs - weekBeforeMs)
  const sumOf = (condition: RawBuilder<unknown>) => sql`coalesce(sum(c.events) filter (where ${condition}), 0)`
  return sql`
    select product_id, rising_score from (
      select c.product_id, (${sumOf(sql`c.hour >= ${at(lastDayMs)}`)} + ${PRIOR_EVENTS}::float8)
        / (${sumOf(sql`c.hour < ${at(lastDayMs)}`)} * ${expectedPart}::float8 + ${PRIOR_EVENTS}::float8) as rising_score
      from ${cellsIn({ isOfHours })} c
      where ${isOfTypes(TYPES_OF_ATTENTION, options)} and c.hour >= ${at(weekBeforeMs)} and ${toMs === undefined ? sql`true` : sql`c.hour < ${at(toMs)}`} and ${which}
      group by c.product_id
    ) ratio
    where rising_score > ${sql.lit(RISING_MIN)}`
}

/** Event types with a positive weight. */
const TYPES_OF_ATTENTION = sql`
  select w.event_type from popularity_rules r join weight w on w.version = r.weights_version where w.weight_micros > 0`

/** Steps of a statement: `reaching` are the products that would rise by so much with no event in the week before. */
export function risenTo({ toMs, lastDayMs, isOfHours }: Span, score: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`
    last_day as materialized (
      select c.product_id, c.events from ${cellsIn({ isOfHours })} c
      where ${isOfTypes(TYPES_OF_ATTENTION)} and c.hour >= ${at(lastDayMs)} and ${toMs === undefined ? sql`true` : sql`c.hour < ${at(toMs)}`}
    ),
    reaching as materialized (
      select product_id from last_day group by product_id having sum(events) + ${PRIOR_EVENTS}::float8 >= ${score} * ${PRIOR_EVENTS}::float8
    )`
}

/** The table or view with the cells of a span. It leaves out days when the span has none, because they would cost a probe per product. */
export function cellsIn({ isOfHours }: Pick<Span, 'isOfHours'>): RawBuilder<unknown> {
  return isOfHours ? sql`product_hour` : sql`product_cell`
}

export function at(milliseconds: number): RawBuilder<unknown> {
  return sql`${instantOf(milliseconds)}::timestamptz`
}

/** Computes the rising products of an instant and replaces the previous ones. Readers see either the old or the new list. */
export async function refreshRising(db: Database, nowMs: number): Promise<void> {
  await db.transaction().execute(async (tx) => {
    // Without parallel workers, because recording events needs the other CPUs.
    await allowLongStatements(tx)
    await sql`set local max_parallel_workers_per_gather = 0`.execute(tx)
    await sql`lock table product_rising in share row exclusive mode`.execute(tx)
    await sql`delete from product_rising`.execute(tx)
    const span = spanOf({ windowDays: undefined, asOfMs: undefined, nowMs, rolledToMs: await rolledToMsOf(tx) })
    await sql`insert into product_rising (product_id, rising_score) ${risingOf(span)}`.execute(tx)
    await sql`
      insert into product_rising_run (computed_at) values (${instantOf(nowMs)})
      on conflict (singleton) do update set computed_at = excluded.computed_at`.execute(tx)
  })
}

/** So old may the list of rising products be. */
const RISING_MINUTES_MAX = 30
/** For so long after its first batch a shop is new: its history comes in, and each minute changes what rises. */
const NEW_SHOP_MINUTES = 10

/** Whether rising must be computed again: it is old, or the shop was new when it was computed. */
export async function isRisingDue(db: Queryable): Promise<boolean> {
  const result = await sql<{ isDue: boolean }>`
    select not exists (
      select from product_rising_run r left join (select received_at from interaction_batch order by batch_id limit 1) first on true
      where r.computed_at > now() - ${RISING_MINUTES_MAX} * interval '1 minute'
        and not coalesce(r.computed_at < first.received_at + ${NEW_SHOP_MINUTES} * interval '1 minute', false)
    ) as "isDue"`.execute(db)
  return onlyRow(result).isDue
}
