import { sql } from 'kysely'
import { type EventType, type EventTypesResponse, SEEN_TYPES_MAX } from '../../contract/event-type.ts'
import { DAY_MS, HOUR_MS, instantOf } from '../../contract/fields/time.ts'
import type { Queryable } from '../database/connection.ts'
import { weightsInForce } from './weights.ts'

/**
 * The types of all counted events of products, the most frequent 1,000, and every type with a weight or a counter; the most frequent
 * first. Costs a scan of the hours of the window.
 */
export async function eventTypes(db: Queryable, days: number | undefined, nowMs: number): Promise<EventTypesResponse> {
  const fromMs = days === undefined ? undefined : Math.floor((nowMs - days * DAY_MS) / HOUR_MS) * HOUR_MS
  const isInWindow = fromMs === undefined ? sql`true` : sql`c.hour >= ${instantOf(fromMs)}::timestamptz`
  const { rows } = await sql<EventType>`
    with seen as (
      select c.event_type, sum(c.events)::bigint as events from product_cell c where ${isInWindow}
      group by c.event_type order by events desc, c.event_type limit ${SEEN_TYPES_MAX}
    ), weighted as (
      select w.event_type, w.weight_micros from weight w join popularity_rules r on w.version = r.weights_version
    )
    select event_type, weighted.weight_micros::float8 / 1e6 as weight, event_type.counter, coalesce(seen.events, 0)::float8 as events
    from seen full join weighted using (event_type) full join event_type using (event_type)
    order by events desc, event_type`.execute(db)
  const inForce = await weightsInForce(db)
  const { name: weights, version: weights_version } = inForce ?? { name: 'none', version: null }
  return { data: rows, meta: { weights, weights_version, days: days ?? null } }
}

/** So long after a change of the weights, answers may still name types by those before. */
const WEIGHTED_MS_MAX = 5_000

/** The types with a weight, by the pool that read them. Every recorded batch asks for them. */
const weightedOf = new WeakMap<Queryable, { types: ReadonlySet<string>; readMs: number }>()

/** Which of these types have no weight, in their order. */
export async function unweightedAmong(db: Queryable, types: Iterable<string>): Promise<string[]> {
  const all = [...types]
  if (all.length === 0) return []
  const weighted = await weightedTypes(db)
  return all.filter((type) => !weighted.has(type))
}

async function weightedTypes(db: Queryable): Promise<ReadonlySet<string>> {
  const known = weightedOf.get(db)
  if (known !== undefined && performance.now() - known.readMs < WEIGHTED_MS_MAX) return known.types
  const { rows } = await sql<{ type: string }>`
    select w.event_type as type from weight w join popularity_rules r on w.version = r.weights_version`.execute(db)
  const types = new Set(rows.map(({ type }) => type))
  weightedOf.set(db, { types, readMs: performance.now() })
  return types
}
