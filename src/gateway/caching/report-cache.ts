import { LRUCache } from 'lru-cache'
import type { ReportAnswer, ReportDefinition, RunReportRequest } from '../../contract/report.ts'
import type { Queryable } from '../../store/database/connection.ts'
import { reportDefinition } from '../../store/reports/report-definition.ts'
import { readFreshness, readReport, reportOf, type ReportPage } from '../../store/reports/report.ts'
import { type ReportQuery, reportQuery } from '../../store/reports/report-query.ts'

/** Of at most 100 rows each. */
const PAGES_MAX = 500
/** Definitions of reports change only with a release. */
const DEFINITION_MS_MAX = 1_000
const DEFINITIONS_MAX = 100

/** Answers a report; undefined when there is none. */
export type RunReport = (db: Queryable, request: RunReportRequest, nowMs: number) => Promise<ReportAnswer | undefined>

/**
 * Keeps the rows of pages for as long as their report allows, and only until one of their buckets is rebuilt. The freshness of an answer,
 * and the builds behind it, are read for each request, because any process may rebuild a bucket, and an answer must not be called
 * complete when events came after its build. That reads a few hundred rows, however expensive the page is.
 */
export function createReportCache(definitionsDb: Queryable): RunReport {
  const kept = new LRUCache<string, { page: ReportPage; version: string }>({ max: PAGES_MAX })
  const definitions = new LRUCache<string, ReportDefinition>({
    max: DEFINITIONS_MAX,
    ttl: DEFINITION_MS_MAX,
    // For all callers, so it goes on when one of them hangs up.
    fetchMethod: (slug) => reportDefinition(definitionsDb, slug),
  })
  return async (db, request, nowMs) => {
    const startedAt = performance.now()
    const query = reportQuery(await definitions.fetch(request.report_slug), request, nowMs)
    if (query === undefined) return undefined
    const key = pageKey(query)
    const cached = kept.get(key)
    if (cached !== undefined) {
      const freshness = await readFreshness(db, query)
      if (freshness.version === cached.version) return reportOf(query, cached.page, freshness, { startedAt, isCacheHit: true })
    }
    const { page, freshness } = await readReport(db, query)
    const ttl = query.cacheTtlSeconds * 1_000
    if (ttl > 0) kept.set(key, { page, version: freshness.version }, { ttl })
    return reportOf(query, page, freshness, { startedAt, isCacheHit: false })
  }
}

/** Everything that the rows depend on, except their buckets' builds. */
function pageKey({ slug, window, first, last, dimension, isPerBucket, field, value, limit, offset }: ReportQuery): string {
  return JSON.stringify([slug, window, first, last, dimension, isPerBucket, field, value, limit, offset])
}
