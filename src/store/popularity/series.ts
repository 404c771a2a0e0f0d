import { sql } from 'kysely'
import { DecidedError } from '../../contract/decided-error.ts'
import { instantOf } from '../../contract/fields/time.ts'
import {
  HOURLY_MAX,
  type ProductSeries,
  SERIES_NUMBERS_MAX,
  type SeriesRequest,
  type SeriesResponse,
} from '../../contract/series.ts'
import { type Steps, stepsOf } from '../../ranking/series.ts'
import type { Queryable } from '../database/connection.ts'
import { isDistributed } from '../database/is-distributed.ts'
import { dayOf } from './cells.ts'
import { asOfOf } from './popular-page.ts'
import { at, cellsIn } from './rising.ts'
import { rolledToMsOf } from './roll-up.ts'

/** Events of products per hour or day. @throws DecidedError for an instant in the future, or more numbers than an answer may have. */
export async function productSeries(db: Queryable, request: SeriesRequest, nowMs: number): Promise<SeriesResponse> {
  const asOfMs = asOfOf(request, nowMs, nowMs)
  const { hours } = request
  const steps = stepsOf({ hours, hourlyMax: HOURLY_MAX, asOfMs, nowMs, rolledToMs: await rolledToMsOf(db) })
  const productIds = [...new Set(request.product_ids)]
  const types = [...new Set(request.event_types ?? [])]
  const numbers = productIds.length * steps.count * (1 + types.length)
  if (numbers > SERIES_NUMBERS_MAX)
    throw new DecidedError(
      'invalid_request',
      `the answer would have ${numbers} numbers, and at most ${SERIES_NUMBERS_MAX} are possible: ask for fewer products, hours or event types`,
    )
  const counted = await countsOf(db, { productIds, types, steps })
  const { fromMs, stepMs, count, step } = steps
  return {
    data: productIds.map((id) => seriesOf(id, counted.get(id) ?? [], { types, steps })),
    meta: { from: instantOf(fromMs), to: instantOf(fromMs + count * stepMs), step },
  }
}

interface Counted {
  productId: string
  /** Null for all types together. */
  type: string | null
  /** The events of each hour or day that has any, by its seconds since 1970. */
  counts: Readonly<Record<string, number>>
}

interface Question {
  productIds: readonly string[]
  /** Empty for all types together. */
  types: readonly string[]
  steps: Steps
}

/** Costs an index range of each product, with its cells of the time. Each product by itself, because no large hash is needed then. */
async function countsOf(db: Queryable, { productIds, types, steps }: Question): Promise<Map<string, Counted[]>> {
  const { fromMs, step, beforeMs, hasDays } = steps
  const [type, isOfType] =
    types.length === 0 ? [sql`null::text`, sql`true`] : [sql`c.event_type`, sql`c.event_type = any(${types}::text[])`]
  const isApart = await isDistributed(db)
  const summed = sql`
        select ${isApart ? sql`c.product_id, ` : sql``}${type} as type, ${step === 'hour' ? sql`c.hour` : dayOf(sql`c.hour`)} as start,
          sum(c.events) as events
        from ${cellsIn({ isOfHours: !hasDays })} c
        where ${isApart ? sql`c.product_id = any(${productIds}::text[])` : sql`c.product_id = i.product_id`}
          and c.hour >= ${at(fromMs)} and c.hour < ${at(beforeMs)} and ${isOfType}`
  const counts = sql`json_object_agg(extract(epoch from start)::bigint, events) as counts`
  // Citus reads all products of a shard at once.
  const { rows } = await (
    isApart
      ? sql<Counted>`
    select x.product_id as "productId", x.type, ${counts} from (${summed} group by 1, 2, 3) x group by 1, 2`
      : sql<Counted>`
    select i.product_id as "productId", s.type, s.counts from unnest(${productIds}::text[]) i (product_id) cross join lateral (
      select type, ${counts} from (${summed} group by 1, 2) x group by type
    ) s`
  ).execute(db)
  return Map.groupBy(rows, ({ productId }) => productId)
}

function seriesOf(
  productId: string,
  counted: readonly Counted[],
  { types, steps: { fromMs, stepMs, count } }: { types: readonly string[]; steps: Steps },
): ProductSeries {
  const placeOf = (seconds: string) => (Number(seconds) * 1_000 - fromMs) / stepMs
  const listOf = (of: readonly Counted[]) => {
    const counts = Array.from({ length: count }, () => 0)
    for (const each of of) for (const [seconds, events] of Object.entries(each.counts)) counts[placeOf(seconds)]! += events
    return counts
  }
  const ofType = (type: string) => [type, listOf(counted.filter((each) => each.type === type))] as const
  return { product_id: productId, counts: listOf(counted), event_types: Object.fromEntries(types.map(ofType)) }
}
