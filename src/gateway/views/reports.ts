import type { RecomputeRun } from '../../contract/recompute-run.ts'
import { BREAKDOWNS, REPORT_SLUGS, type ReportAnswer, type ReportDefinition } from '../../contract/report.ts'
import { addressOf } from '../../page/template/address.ts'
import { reportsView } from '../../page/views/reports.ts'
import { outcomeOf } from '../page/outcome.ts'
import type { PageView, ViewRequest } from '../page/view.ts'

const DAY_MS = 86_400_000
const DAYS_DEFAULT = 7
const DAY = /^\d{4}-\d{2}-\d{2}$/

/** Operations of the systems around the shop, and the runs that add them up. */
export const reports: PageView = {
  path: '/reports',
  label: 'Reports',
  isInHeader: true,
  access: 'read',
  hasChart: true,
  show: async (api, request) => {
    const { query, nowMs, scopes } = request
    const filters = filtersOf(request)
    const { slug, window, breakdown, from, to } = filters
    const range = { window, date_from: from, date_to: to, limit: 100 }
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

function filtersOf({ query, nowMs }: ViewRequest) {
  const slug = REPORT_SLUGS.find((name) => name === query['report']) ?? REPORT_SLUGS[0]
  const window = query['window'] === 'week' ? ('week' as const) : ('day' as const)
  const asked = BREAKDOWNS.find((name) => name === query['breakdown'])
  // A report that lacks the breakdown of the one before has its own.
  const breakdown =
    slug === 'top-entities' || (slug === 'status-counts' ? asked === 'source' : asked === 'status') ? undefined : asked
  const dayOf = (ms: number) => new Date(ms).toISOString().slice(0, 10)
  const day = (name: string, otherwise: string) => (DAY.test(query[name] ?? '') ? query[name]! : otherwise)
  const from = day('from', dayOf(nowMs - (DAYS_DEFAULT - 1) * DAY_MS))
  return { slug, window, breakdown, from, to: day('to', dayOf(nowMs)) }
}
