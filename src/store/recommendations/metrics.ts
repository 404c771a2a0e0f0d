import { sql } from 'kysely'
import {
  ATTRIBUTED_TYPES,
  type RecommendationMetrics,
  type RecommendationMetricsRequest,
  type RecommendationMetricsResponse,
  type RecommendationNumbers,
} from '../../contract/recommendation-metrics.ts'
import { type Day, dayOf, daysBefore } from '../../ranking/day.ts'
import type { Queryable } from '../database/connection.ts'
import { attributedEvents, attributedLines } from './attribution.ts'

interface MetricsOptions {
  nowMs: number
  /** How long after an impression an event that names none follows from it. */
  attributionHours: number
}

/** A number of a day, strategy, blend and version. */
interface Part extends Pick<RecommendationMetrics, 'strategy' | 'blend'> {
  day: Day
  /** 0 for none. */
  version: string
  /** impressions, products, revenue, or a type of events. */
  what: string
  currency: string | null
  value: string
}

/** What recommendations led to, by the days on which they were shown. Nothing of it is stored but the counts of impressions. */
export async function recommendationMetrics(
  db: Queryable,
  { days, per_day: isPerDay }: RecommendationMetricsRequest,
  { nowMs, attributionHours }: MetricsOptions,
): Promise<RecommendationMetricsResponse> {
  const to = dayOf(nowMs)
  const from = daysBefore(to, days - 1)
  const parts = await readParts(db, from, attributionHours)
  const groups = Map.groupBy(parts.toSorted(isPerDay ? byDay : byName), ({ day, ...part }) =>
    keyOf(part, isPerDay ? day : undefined),
  )
  const data = [...groups.values()].map((group) => ({ ...nameOf(group[0]!, isPerDay), ...numbersOf(group) }))
  return { data, meta: { from, to, attribution_hours: attributionHours, totals: numbersOf(parts) } }
}

/** One statement, so that all numbers are of one instant. */
async function readParts(db: Queryable, from: Day, hours: number): Promise<Part[]> {
  const group = sql`(shown_at at time zone 'UTC')::date, strategy, blend, similarity_version`
  const { rows } = await sql<Part>`
    with attributed as materialized (${attributedEvents({ from: `${from}T00:00:00Z`, hours })}
    ), part (day, strategy, blend, version, what, currency, value) as (
      select day, strategy, blend, similarity_version, 'impressions', null, impressions from impression_day where day >= ${from}::date
      union all
      select day, strategy, blend, similarity_version, 'products', null, products from impression_day where day >= ${from}::date
      union all
      select ${group}, event_type, null, count(*) from attributed group by 1, 2, 3, 4, 5
      union all
      select ${group}, 'revenue', currency, sum(amount)::bigint from (${attributedLines(sql`attributed`)}) l group by 1, 2, 3, 4, 6
    )
    select to_char(day, 'YYYY-MM-DD') as day, strategy, blend, version, what, currency, value from part`.execute(db)
  return rows
}

function byName(one: Part, other: Part): number {
  const nameOf = ({ strategy, blend }: Part) => `${strategy} ${blend}`
  if (nameOf(one) !== nameOf(other)) return nameOf(one) < nameOf(other) ? -1 : 1
  return Number(one.version) - Number(other.version)
}

function byDay(one: Part, other: Part): number {
  return one.day === other.day ? byName(one, other) : one.day < other.day ? 1 : -1
}

function keyOf({ strategy, blend, version }: Omit<Part, 'day'>, day: Day | undefined): string {
  return JSON.stringify([day, strategy, blend, version])
}

function nameOf({ day, strategy, blend, version }: Part, isPerDay: boolean) {
  const similarity_version = version === '0' ? null : Number(version)
  return { ...(isPerDay && { day }), strategy, blend, similarity_version }
}

function numbersOf(parts: readonly Part[]): RecommendationNumbers {
  const sumOf = (some: readonly Part[]) => some.reduce((sum, { value }) => sum + Number(value), 0)
  const sumsOf = (what: string) => sumOf(parts.filter((part) => part.what === what))
  const byCurrency = Map.groupBy(
    parts.filter(({ what }) => what === 'revenue'),
    ({ currency }) => currency!,
  )
  const impressions = sumsOf('impressions')
  const clicks = sumsOf(ATTRIBUTED_TYPES.click)
  return {
    impressions,
    products: sumsOf('products'),
    clicks,
    click_through: impressions === 0 ? null : clicks / impressions,
    carts: sumsOf(ATTRIBUTED_TYPES.cart),
    purchases: sumsOf(ATTRIBUTED_TYPES.purchase),
    revenue: Array.from(byCurrency, ([currency, some]) => ({ currency, amount: sumOf(some) })).toSorted((one, other) =>
      one.currency < other.currency ? -1 : 1,
    ),
  }
}
