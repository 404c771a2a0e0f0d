import { notFound } from '../../contract/decided-error.ts'
import { EARLIEST_MS, instantOf, millisecondsOf } from '../../contract/fields/time.ts'
import type { MetricHistory, RecordedState } from '../../contract/metric-history.ts'
import type {
  CategoryMetrics,
  LowStockMetrics,
  MetricsHistoryQuery,
  MetricsRequest,
  MetricsResponse,
  MetricState,
  SellerMetrics,
} from '../../contract/product-metrics.ts'
import type { Queryable } from '../database/connection.ts'
import { lowStock } from './low-stock.ts'
import { categoryKey, categoryMetrics, LOW_STOCK_KEY, sellerKey, sellerMetrics } from './metric-state.ts'

/** Where the metrics of the present and those of the past are read. */
export interface MetricSources {
  db: Queryable
  history: MetricHistory
}

/** The metrics of a request. @throws DecidedError not_found when no state was recorded by its instant, or it has expired. */
export async function metricsAnswer({ db, history }: MetricSources, request: MetricsRequest): Promise<MetricsResponse> {
  const { seller_id: sellerId, category, at } = request
  if (at === undefined) {
    if (sellerId !== undefined) return { seller: await sellerMetrics(db, sellerId) }
    if (category !== undefined) return { category: await categoryMetrics(db, category) }
    return { low_stock: await lowStock(db) }
  }
  const { state, atMs } = await stateAt(history, keyOf(request), at)
  const recorded = { recorded_at: instantOf(atMs) }
  if (sellerId !== undefined) return { seller: state as SellerMetrics, ...recorded }
  if (category !== undefined) return { category: state as CategoryMetrics, ...recorded }
  return { low_stock: state as LowStockMetrics, ...recorded }
}

async function stateAt(history: MetricHistory, key: string, at: string): Promise<RecordedState> {
  const atMs = millisecondsOf(at)
  const state = atMs < EARLIEST_MS ? undefined : await history.at(key, atMs)
  if (state === undefined) throw notFound(`no state of ${key} was recorded by ${at}, or it has expired`)
  return state
}

/** The states of a seller, a category or low stock in a range, the newest first. */
export async function historyAnswer<State extends MetricState>(
  history: MetricHistory,
  request: Omit<MetricsRequest, 'at'>,
  { from, to, limit }: MetricsHistoryQuery,
): Promise<(State & { recorded_at: string })[]> {
  const fromMs = Math.max(EARLIEST_MS, from === undefined ? EARLIEST_MS : millisecondsOf(from))
  const toMs = to === undefined ? LATEST_MS : millisecondsOf(to)
  if (toMs <= fromMs) return []
  const states = await history.series(keyOf(request), { fromMs, toMs, limit })
  return states.map(({ state, atMs }) => ({ ...(state as State), recorded_at: instantOf(atMs) }))
}

/** After every state. */
const LATEST_MS = millisecondsOf('9999-12-31T23:59:59Z')

function keyOf({ seller_id: sellerId, category }: Omit<MetricsRequest, 'at'>): string {
  if (sellerId !== undefined) return sellerKey(sellerId)
  return category === undefined ? LOW_STOCK_KEY : categoryKey(category)
}
