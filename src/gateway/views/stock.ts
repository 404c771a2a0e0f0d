import type { AlertDelivery } from '../../contract/alert-delivery.ts'
import type { Alert } from '../../contract/alert.ts'
import type { CategoryMetrics, LowStock, SellerMetrics } from '../../contract/product-metrics.ts'
import { addressOf } from '../../page/template/address.ts'
import { type Answer, isProblem } from '../../page/template/answer.ts'
import { stockView } from '../../page/views/stock.ts'
import { outcomeOf } from '../page/outcome.ts'
import type { PageApi } from '../page/page-api.ts'
import type { PageView } from '../page/view.ts'

const ROWS_MAX = 20
const METRICS = '/api/v1/catalog/metrics'

/** The catalog by seller and category, what runs low, and the alerts about it. */
export const stock: PageView = {
  path: '/stock',
  label: 'Stock',
  isInHeader: true,
  access: 'read',
  show: async (api, { query, nowMs, scopes }) => {
    const canManage = scopes.includes('manage')
    const alertId = query['alert']
    const [low, sellers, categories, alerts, list] = await Promise.all([
      api.get<{ data: LowStock }>(`${METRICS}/low-stock`),
      metricsOf<SellerMetrics>(api, '/api/v1/sellers', 'seller_id', { path: 'sellers', parameter: 'seller_ids' }),
      metricsOf<CategoryMetrics>(api, '/api/v1/catalog/categories', 'category', { path: 'categories', parameter: 'categories' }),
      canManage ? api.get<{ data: Alert[] }>('/api/v1/alerts') : undefined,
      canManage && alertId !== undefined
        ? api.get<{ data: AlertDelivery[] }>(`/api/v1/alerts/${encodeURIComponent(alertId)}/deliveries`, { limit: 20 })
        : undefined,
    ])
    const deliveries = alertId !== undefined && list !== undefined ? { alertId, list } : undefined
    const body = stockView({ nowMs, done: query['done'], low, sellers, categories, alerts, deliveries })
    return { title: 'Catalog and stock', body }
  },
  actions: {
    replay: async (api, { form, query }) => {
      const { alert_id = '', delivery_id = '' } = form
      const [alert, delivery] = [encodeURIComponent(alert_id), encodeURIComponent(delivery_id)]
      const answer = await api.send('POST', `/api/v1/alerts/${alert}/deliveries/${delivery}/replay`)
      return outcomeOf(answer, addressOf('/stock', { ...query, done: 'replayed' }))
    },
  },
}

/** The metrics of the first of a list, in its order, by one question for all of them. */
async function metricsOf<Metrics>(
  api: PageApi,
  list: string,
  field: string,
  { path, parameter }: { path: string; parameter: string },
): Promise<Answer<readonly Metrics[]>> {
  const rows = await api.get<{ data: Record<string, unknown>[] }>(list, { limit: ROWS_MAX })
  if (isProblem(rows)) return rows
  const names = rows.data.map((row) => row[field]).filter((name): name is string => typeof name === 'string')
  if (names.length === 0) return []
  const answer = await api.get<{ data: Metrics[] }>(`${METRICS}/${path}`, { [parameter]: names })
  return isProblem(answer) ? answer : answer.data
}
