import {
  REPORT_DAYS_MAX,
  type ReportDefinition,
  type ReportSlug,
  type ReportWindow,
  type RunReportRequest,
} from '../../contract/report.ts'
import { invalidField } from '../../contract/decided-error.ts'
import { bucketOf, bucketsIn, lastDayOf } from '../../ranking/bucket.ts'
import { checkedRange, type Day, dayOf } from '../../ranking/day.ts'
import { breakdownsOf, REPORTS, type Shape, shapeOf } from './report-definition.ts'

/** A validated request with its defaults filled in. */
export interface ReportQuery extends Shape {
  slug: ReportSlug
  window: ReportWindow
  /** The first days of its first bucket and of its last one. */
  first: Day
  last: Day
  /** How many of its buckets have begun. */
  bucketsBegun: number
  /** The only value of the dimension to report on; undefined for all values. */
  value: string | undefined
  limit: number
  offset: number
  nowMs: number
  cacheTtlSeconds: number
}

/** The query of a request; undefined when the report does not exist. @throws DecidedError when the report cannot do what is asked. */
export function reportQuery(
  definition: ReportDefinition | undefined,
  request: RunReportRequest,
  nowMs: number,
): ReportQuery | undefined {
  if (definition === undefined || !Object.hasOwn(REPORTS, definition.slug)) return undefined
  const slug = definition.slug as ReportSlug
  const today = dayOf(nowMs)
  const window = windowOf(definition, request)
  const shape = requestedShape(slug, request)
  const filter = filterOf(definition, request)
  const { date_from: from, date_to: to } = request
  const days = checkedRange({ from, to, today, daysMax: REPORT_DAYS_MAX }, { from: 'date_from', to: 'date_to' })
  const first = bucketOf(window, days.from)
  const last = bucketOf(window, days.to)
  return {
    ...shape,
    // The snapshots of all events cannot answer for one value alone.
    dimension: shape.dimension ?? filter?.dimension ?? null,
    slug,
    window,
    first,
    last,
    bucketsBegun: bucketsBegun(window, { first, last, current: bucketOf(window, today) }),
    value: filter?.value,
    limit: request.limit,
    offset: request.offset,
    nowMs,
    cacheTtlSeconds: definition.cache_ttl_seconds,
  }
}

function bucketsBegun(window: ReportWindow, { first, last, current }: Record<'first' | 'last' | 'current', Day>): number {
  const lastBegun = last < current ? last : current
  return lastBegun < first ? 0 : bucketsIn(window, { from: first, to: lastDayOf(window, lastBegun) })
}

function windowOf({ slug, default_window, allowed_windows }: ReportDefinition, request: RunReportRequest): ReportWindow {
  const { window = default_window } = request
  const allowed = allowed_windows.map((row) => row.window)
  if (allowed.includes(window)) return window
  throw invalidField('window', `of ${slug} must be ${allowed.join(' or ')}`)
}

function requestedShape(slug: ReportSlug, { breakdown }: RunReportRequest): Shape {
  const shape = shapeOf(slug, breakdown)
  if (shape !== undefined) return shape
  const names = breakdownsOf(slug)
  throw invalidField('breakdown', names.length === 0 ? `is not for ${slug}` : `of ${slug} must be ${names.join(' or ')}`)
}

function filterOf({ slug, supported_filters }: ReportDefinition, request: RunReportRequest) {
  for (const dimension of ['source', 'status'] as const) {
    const value = request[dimension]
    if (value === undefined) continue
    if (!supported_filters.includes(dimension)) throw invalidField(dimension, `is not a filter of ${slug}`)
    return { dimension, value }
  }
  return undefined
}
