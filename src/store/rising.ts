import { type RawBuilder, sql } from 'kysely'
import { HOUR_MS, instantOf } from '../contract/time.ts'
import { type Span, spanOf } from '../ranking/span.ts'
import { type ChunkLimits, inChunks } from './chunks.ts'
import type { Store } from './database.ts'
import { rolledToMsOf } from './roll-up.ts'

/** Events that both sides are given beforehand: how many it takes until a ratio is believed. */
const PRIOR_EVENTS = 10
/** As many as predicted. */
export const RISING_MIN = 1
const REFRESH_MINUTES_MAX = 30
/** Hours that are added up at once. */
const CHUNK: ChunkLimits = { targetMs: 100, sizeMin: 1, sizeMax: 24 }

/**
 * Products with more attention in the last 24 hours than the 7 days before predict: (x + k) / (e + k), x the events of the types
 * with a positive weight, e what they would be at the rate of the 7 days, k = 10. That is the mean of a Poisson rate's ratio to its
 * prediction under a gamma prior of mean 1 (W. DuMouchel, Bayesian data mining in large frequency tables, The American Statistician
 * 53(3), 1999): 3 → 6 events a day is 1.23, 300 → 900 is 2.94. `which` are the cells c that are looked at.
 */
export function risingOf(span: Span, which = sql`true`): RawBuilder<unknown> {
  const until = span.toMs === undefined ? sql`true` : sql`c.hour < ${at(span.toMs)}`
  return ratioOf(span, attentionOf(span, sql`c.hour >= ${at(span.weekBeforeMs)} and ${until} and ${which}`))
}

/** The cells among which those of a span are: a place where nothing is to be found costs a look for every product. */
export function cellsIn({ isOfHours }: Pick<Span, 'isOfHours'>): RawBuilder<unknown> {
  return isOfHours ? sql`product_hour` : sql`product_cell`
}

/** Events in the last day and in the week before it, by product, of the cells c that are looked at. */
function attentionOf({ lastDayMs, isOfHours }: Span, which: RawBuilder<unknown>): RawBuilder<unknown> {
  const sumOf = (condition: RawBuilder<unknown>) => sql`coalesce(sum(c.events) filter (where ${condition}), 0)`
  return sql`
    select c.product_id, ${sumOf(sql`c.hour >= ${at(lastDayMs)}`)} as recent, ${sumOf(sql`c.hour < ${at(lastDayMs)}`)} as before
    from ${cellsIn({ isOfHours })} c cross join popularity_rules r
      join weight w on w.version = r.weights_version and w.event_type = c.event_type and w.weight_micros > 0
    where ${which} group by c.product_id`
}

function ratioOf({ instantMs, lastDayMs, weekBeforeMs }: Span, attention: RawBuilder<unknown>): RawBuilder<unknown> {
  // Of the hour that is going on, as much is predicted as has gone by.
  const expectedPart = (instantMs - lastDayMs) / (lastDayMs - weekBeforeMs)
  return sql`
    select product_id, rising_score from (
      select product_id, (recent + ${PRIOR_EVENTS}::float8) / (before * ${expectedPart}::float8 + ${PRIOR_EVENTS}::float8) as rising_score
      from (${attention}) a
    ) ratio
    where rising_score > ${sql.lit(RISING_MIN)}`
}

function at(milliseconds: number): RawBuilder<unknown> {
  return sql`${instantOf(milliseconds)}::timestamptz`
}

/**
 * Computes which products rise at an instant and puts them in the place of those before. Readers see the one or the other. The
 * hours are added up a few at a time.
 */
export async function refreshRising(db: Store, nowMs: number): Promise<void> {
  const span = spanOf({ windowDays: undefined, asOfMs: undefined, nowMs, rolledToMs: await rolledToMsOf(db) })
  const hours = Array.from({ length: (span.hourMs - span.weekBeforeMs) / HOUR_MS + 1 }, (_, n) => span.weekBeforeMs + n * HOUR_MS)
  await db.transaction().execute(async (tx) => {
    // As long as it takes, and in one process, because those who send events need the others.
    await sql`set local statement_timeout = ${sql.lit(`${REFRESH_MINUTES_MAX}min`)}`.execute(tx)
    await sql`set local max_parallel_workers_per_gather = 0`.execute(tx)
    await sql`create temporary table attention (product_id text collate "C", recent bigint, before bigint) on commit drop`.execute(
      tx,
    )
    await inChunks(hours, CHUNK, async (chunk) => {
      const [from, to] = [chunk[0]!, chunk.at(-1)! + HOUR_MS]
      const isLast = to > span.hourMs
      const which = sql`c.hour >= ${at(from)} and ${isLast ? sql`true` : sql`c.hour < ${at(to)}`}`
      await sql`insert into attention ${attentionOf(span, which)}`.execute(tx)
      return chunk.length
    })
    await sql`lock table product_rising in share row exclusive mode`.execute(tx)
    await sql`delete from product_rising`.execute(tx)
    const sums = sql`select product_id, sum(recent) as recent, sum(before) as before from attention group by product_id`
    await sql`insert into product_rising (product_id, rising_score) ${ratioOf(span, sums)}`.execute(tx)
    await sql`
      insert into product_rising_run (computed_at) values (${instantOf(nowMs)})
      on conflict (singleton) do update set computed_at = excluded.computed_at`.execute(tx)
  })
}

/** When rising was last computed; undefined before the first time. */
export async function risingComputedAt(db: Store): Promise<Date | undefined> {
  const { rows } = await sql<{ at: Date }>`select computed_at as at from product_rising_run`.execute(db)
  return rows[0]?.at
}
