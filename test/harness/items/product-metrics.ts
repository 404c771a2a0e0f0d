import type { MetricHistory } from '../../../src/contract/metric-history.ts'
import type { Product } from '../../../src/contract/product.ts'
import { sql } from 'kysely'
import type { Database } from '../../../src/store/database/connection.ts'
import { summedMetrics } from '../../../src/store/metrics/metric-state.ts'
import { foldDeltas } from '../../../src/store/metrics/fold.ts'
import { foldMetrics, recordMetrics } from '../../../src/store/metrics/fold-metrics.ts'

export type Sums = Record<'total' | 'active' | 'deleted' | 'value' | 'price_sum', bigint>

/** The metrics of these products, product by product: the slow reference. By key and currency, without those of no product. */
export function expectedMetrics(products: readonly Product[], lowStockBelow = 10): Record<string, Sums> {
  const sums = new Map<string, Sums>()
  const add = (key: string, currency: string, product: Product) => {
    const sum = sums.get(`${key} ${currency}`) ?? { total: 0n, active: 0n, deleted: 0n, value: 0n, price_sum: 0n }
    sum.total += 1n
    if (product.status === 'active') sum.active += 1n
    if (product.status === 'deleted') sum.deleted += 1n
    if (currency !== '') {
      sum.value += BigInt(product.price!) * BigInt(Math.max(product.quantity ?? 0, 0))
      sum.price_sum += BigInt(product.price!)
    }
    sums.set(`${key} ${currency}`, sum)
  }
  for (const product of products) {
    const { seller_id: sellerId, category, currency = '', status, quantity } = product
    const isDeleted = status === 'deleted'
    if (sellerId !== undefined) add(`SELLER#${sellerId}`, isDeleted ? '' : currency, product)
    if (category !== undefined && !isDeleted) add(`CATEGORY#${category}`, currency, product)
    if (status === 'active' && quantity !== undefined && quantity < lowStockBelow) add('LOWSTOCK', '', product)
  }
  return Object.fromEntries([...sums].sort(([one], [other]) => (one < other ? -1 : 1)))
}

/** The metrics as readers get them, in the same form. */
export async function storedMetrics(db: Database): Promise<Record<string, Sums>> {
  const { rows } = await sql<Record<keyof Sums | 'key' | 'currency', string>>`${summedMetrics(sql`true`)}`.execute(db)
  const sums = rows
    .map(({ key, currency, ...cells }): [string, Sums] => [
      `${key} ${currency}`,
      Object.fromEntries(Object.entries(cells).map(([name, text]) => [name, BigInt(text)])) as Sums,
    ])
    .filter(([, cells]) => Object.values(cells).some((cell) => cell !== 0n))
  return Object.fromEntries(sums.sort(([one], [other]) => (one < other ? -1 : 1)))
}

/** What the two tasks do. */
export async function foldAndRecord(db: Database, history: MetricHistory): Promise<void> {
  await foldMetrics(db)
  await recordMetrics(db, history)
}

export async function foldAll(db: Database): Promise<void> {
  while ((await foldDeltas(db)) > 0);
}

/** No products, and nothing of their metrics. */
export async function clearCatalog(db: Database): Promise<void> {
  await sql`truncate catalog.product, product_metric, product_metric_delta, product_metric_change, product_metric_history,
    low_stock_crossing`.execute(db)
}
