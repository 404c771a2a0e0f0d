import { sql } from 'kysely'
import { isDeepStrictEqual } from 'node:util'
import type { Product } from '../../src/contract/product.ts'
import type { Database } from '../../src/store/database/connection.ts'
import { readStates } from '../../src/store/metrics/metric-state.ts'
import { postgresHistory } from '../../src/store/metrics/postgres-history.ts'
import { PRODUCT_METRIC } from '../../src/store/proof/product-metric-drift.ts'
import { expectedMetrics, storedMetrics } from '../harness/items/product-metrics.ts'
import { expectedCatalogue, storedCatalogue } from '../harness/items/products.ts'
import { expectedState, type StoredVersion } from '../harness/reference/catalog.ts'

/** How much was compared, and what differs. */
export interface Compared {
  compared: number
  differences: string[]
}

/** The catalog with the newest of all versions. */
export async function checkCatalog(db: Database, versions: readonly Product[]): Promise<Compared> {
  return compare(await storedCatalogue(db), expectedCatalogue(versions))
}

/** Each cell of the metrics with one statement over the catalog, and with the reference product by product. */
export async function checkMetrics(db: Database): Promise<Compared> {
  const { drift } = await PRODUCT_METRIC.prove(db, {} as never)
  const products = Object.values(await storedCatalogue(db)).map((text) => JSON.parse(text) as Product)
  const { compared, differences } = compare(await storedMetrics(db), expectedMetrics(products))
  return { compared: 5 * compared, differences: [...differences, ...drift.map((cell) => `drift ${JSON.stringify(cell)}`)] }
}

/** Answers of the gateway about every seller, every category and low stock. */
export async function checkAnswers(db: Database, gatewayUrl: string, lowStockBelow: number): Promise<Compared> {
  const { rows } = await sql<StoredVersion>`
    select product_id, seller_id, category, price::float8 as price, currency, quantity::float8 as quantity, status
    from catalog.product`.execute(db)
  const sellers = Map.groupBy(rows, ({ seller_id: seller }) => seller!)
  const categories = Map.groupBy(
    rows.filter(({ status }) => status !== 'deleted'),
    ({ category }) => category!,
  )
  const asked = [
    ...[...sellers].map(([id, products]) => ({ path: `sellers/${id}`, key: `SELLER#${id}`, products })),
    ...[...categories].map(([id, products]) => ({
      path: `categories/${encodeURIComponent(id)}`,
      key: `CATEGORY#${id}`,
      products,
    })),
    { path: 'low-stock', key: 'LOWSTOCK', products: rows },
  ]
  const differences: string[] = []
  for (const { path, key, products } of asked) {
    const answer = await fetch(`${gatewayUrl}/api/v1/catalog/metrics/${path}`)
    const { data } = (await answer.json()) as { data: Record<string, unknown> }
    const expected = expectedState(key, products, lowStockBelow) as Record<string, unknown>
    const shown = Object.fromEntries(Object.keys(expected).map((name) => [name, data?.[name]]))
    if (!isDeepStrictEqual({ ...shown, last_updated: null }, expected)) differences.push(`${path}: ${JSON.stringify(data)}`)
  }
  return { compared: asked.length, differences }
}

/** The newest state of each key in the history with the present one. */
export async function checkHistory(db: Database): Promise<Compared> {
  const { rows } = await sql<{ key: string }>`select key from product_metric_change`.execute(db)
  const keys = rows.map(({ key }) => key)
  const present = await readStates(db, keys)
  const history = postgresHistory(db)
  const differences: string[] = []
  for (const key of keys) {
    const newest = await history.at(key, Date.now())
    const now = present.get(key)!.state
    if (!isDeepStrictEqual({ ...newest?.state, last_updated: null }, { ...now, last_updated: null })) {
      differences.push(`${key}: ${JSON.stringify(newest)}, and now ${JSON.stringify(now)}`)
    }
  }
  return { compared: keys.length, differences }
}

/** How often each reason is among the rejected records. */
export async function rejectedFields(db: Database): Promise<Record<string, number>> {
  const { rows } = await sql<{ field: string; count: number }>`
    select coalesce(field, '') as field, count(*)::int as count from rejected_event group by 1`.execute(db)
  return Object.fromEntries(rows.map(({ field, count }) => [field, count]))
}

export function compare(stored: Record<string, unknown>, expected: Record<string, unknown>): Compared {
  const keys = new Set([...Object.keys(stored), ...Object.keys(expected)])
  const differences = [...keys]
    .filter((key) => !isDeepStrictEqual(stored[key], expected[key]))
    .map((key) => `${key}: ${textOf(stored[key])} instead of ${textOf(expected[key])}`)
  return { compared: keys.size, differences }
}

function textOf(value: unknown): string {
  return JSON.stringify(value, (_name, each: unknown) => (typeof each === 'bigint' ? String(each) : each)) ?? 'nothing'
}
