import type { RecommendationMetricsResponse } from '../../contract/recommendation-metrics.ts'
import type { SimilarityRun, SimilarityVersion } from '../../contract/similarity-run.ts'
import type { SimilaritySettings } from '../../contract/similarity-settings.ts'
import { addressOf } from '../../page/template/address.ts'
import { recommendationsView } from '../../page/views/recommendations.ts'
import { DAYS_DEFAULT } from '../page/day-range.ts'
import { outcomeOf } from '../page/outcome.ts'
import type { PageView } from '../page/view.ts'

/** What recommendations come to, and the versions of similar products behind them. */
export const recommendations: PageView = {
  path: '/recommendations',
  label: 'Recommendations',
  isInHeader: true,
  access: 'read',
  show: async (api, { query, nowMs, scopes }) => {
    const { days = DAYS_DEFAULT } = query
    const [metrics, versions, runs, settings] = await Promise.all([
      api.get<RecommendationMetricsResponse>('/api/v1/recommendations/metrics', { days }),
      api.get<{ data: SimilarityVersion[] }>('/api/v1/similarity-versions'),
      api.get<{ data: SimilarityRun[] }>('/api/v1/similarity-runs', { limit: 5 }),
      api.get<{ data: SimilaritySettings[] }>('/api/v1/similarity-settings', { limit: 50 }),
    ])
    const canManage = scopes.includes('manage')
    const body = recommendationsView({ days, nowMs, done: query['done'], metrics, versions, runs, settings, canManage })
    return { title: 'Recommendations', body }
  },
  actions: {
    promote: async (api, { form, query }) => {
      const version = encodeURIComponent(form['version'] ?? '')
      const answer = await api.send('POST', `/api/v1/similarity-versions/${version}/promote`)
      return outcomeOf(answer, addressOf('/recommendations', { ...query, done: 'promoted' }))
    },
    start: async (api, { query }) =>
      outcomeOf(
        await api.send('POST', '/api/v1/similarity-runs', {}),
        addressOf('/recommendations', { ...query, done: 'started' }),
      ),
    cancel: async (api, { form, query }) => {
      const answer = await api.send('DELETE', `/api/v1/similarity-runs/${encodeURIComponent(form['id'] ?? '')}`)
      return outcomeOf(answer, addressOf('/recommendations', { ...query, done: 'cancelled' }))
    },
  },
}
