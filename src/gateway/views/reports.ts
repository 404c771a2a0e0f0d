import { z } from 'zod'
import type { RecomputeRun } from '../../contract/recompute-run.ts'
import { REPORT_SLUGS, type ReportAnswer, type ReportDefinition, RunReportRequest } from '../../contract/report.ts'
import { addressOf } from '../../page/template/address.ts'
import { type ReportFilters, reportsView } from '../../page/views/reports.ts'
import { outcomeOf } from '../page/outcome.ts'
import type { PageView, ViewRequest } from '../page/view.ts'

const DAY_MS = 86_400_000
const DAYS_DEFAULT = 7

const { window, date_from, date_to } = RunReportRequest.shape

/** Operations of the systems around the shop, and the runs that add them up. */
export const reports: PageView = {
  path: '/reports',
  label: 'Reports',
  isInHeader: true,
  access: 'read',
  hasChart: true,
  filters: { report: z.enum(REPORT_SLUGS), window, from: date_from, to: date_to },
  show: async (api, request) => {
    const { query, nowMs, scopes } = request
    const filters = filtersOf(request)
    const { slug, breakdown, from, to } = filters
    const range = { window: filters.window, date_from: from, date_to: to, limit: 100 }
    const [definitions, report, runs] = await Promise.all([
      api.get<{ data: ReportDefinition[] }>('/api/v1/reports'),
      api.get<{ data: ReportAnswer }>(`/api/v1/reports/${slug}/run`, { ...range, breakdown }),
      api.get<{ data: RecomputeRun[] }>('/api/v1/recomputations', { limit: 6 }),
    ])
    const canManage = scopes.includes('manage')
    const body = reportsView({ ...filters, nowMs, done: query['done'], definitions, report, runs, canManage })
    return { title: 'Reports', body }
  },
  actions: {
    start: async (api, { form, query }) => {
      const { report_slug, window, date_from, date_to } = form
      const answer = await api.send('POST', '/api/v1/recomputations', { report_slug, window, date_from, date_to })
      return outcomeOf(answer, addressOf('/reports', { ...query, done: 'started' }))
    },
    cancel: async (api, { form, query }) => {
      const answer = await api.send('DELETE', `/api/v1/recomputations/${encodeURIComponent(form['id'] ?? '')}`)
      return outcomeOf(answer, addressOf('/reports', { ...query, done: 'cancelled' }))
    },
  },
}

function filtersOf({ query, nowMs }: ViewRequest): ReportFilters {
  const dayOf = (ms: number) => new Date(ms).toISOString().slice(0, 10)
  const { report: slug = REPORT_SLUGS[0], from = dayOf(nowMs - (DAYS_DEFAULT - 1) * DAY_MS), to = dayOf(nowMs) } = query
  return { slug, window: query['window'] === 'week' ? 'week' : 'day', breakdown: query['breakdown'], from, to }
}
