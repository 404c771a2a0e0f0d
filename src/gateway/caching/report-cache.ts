import { LRUCache } from 'lru-cache'
import type { ReportAnswer, ReportDefinition, RunReportRequest } from '../../contract/report.ts'
import type { Database } from '../../store/database/connection.ts'
import { reportDefinition } from '../../store/reports/report-definition.ts'
import { readFreshness, readReport, reportOf, type ReportPage } from '../../store/reports/report.ts'
import { type ReportQuery, reportQuery } from '../../store/reports/report-query.ts'

/** Of at most 100 rows each. */
const PAGES_MAX = 500
/** What there is of reports changes with a release. */
const DEFINITION_MS_MAX = 1_000
const DEFINITIONS_MAX = 100

/** Answers a report; undefined when there is none. */
export type RunReport = (request: RunReportRequest, nowMs: number) => Promise<ReportAnswer | undefined>

/**
 * Keeps the rows of pages for as long as their report allows, and no longer than their buckets stay as they are. How fresh an answer
 * is, and of which builds, is asked for each time: whichever process rebuilt a bucket, its rows are read anew, and an answer is
 * never called complete when events came since. That costs a few hundred rows, whatever the page would.
 */
export function createReportCache(db: Database): RunReport {
  const kept = new LRUCache<string, { page: ReportPage; version: string }>({ max: PAGES_MAX })
  const definitions = new LRUCache<string, ReportDefinition>({
    max: DEFINITIONS_MAX,
    ttl: DEFINITION_MS_MAX,
    fetchMethod: (slug) => reportDefinition(db, slug),
  })
  return async (request, nowMs) => {
    const startedAt = performance.now()
    const query = reportQuery(await definitions.fetch(request.report_slug), request, nowMs)
    if (query === undefined) return undefined
    const key = keyOf(query)
    const known = kept.get(key)
    if (known !== undefined) {
      const freshness = await readFreshness(db, query)
      if (freshness.version === known.version) return reportOf(query, known.page, freshness, { startedAt, isCacheHit: true })
    }
    const { page, freshness } = await readReport(db, query)
    const ttl = query.cacheTtlSeconds * 1_000
    if (ttl > 0) kept.set(key, { page, version: freshness.version }, { ttl })
    return reportOf(query, page, freshness, { startedAt, isCacheHit: false })
  }
}

/** What the rows depend on, beside their buckets' builds. */
function keyOf({ slug, window, first, last, dimension, isPerBucket, field, value, limit, offset }: ReportQuery): string {
  return JSON.stringify([slug, window, first, last, dimension, isPerBucket, field, value, limit, offset])
}
