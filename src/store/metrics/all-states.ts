import { sql } from 'kysely'
import type { LowStockMetrics, MetricState } from '../../contract/product-metrics.ts'
import type { Database, Queryable } from '../database/connection.ts'
import { LOW_STOCK_KEY, readStates } from './metric-state.ts'

const PAGE_KEYS = 500

/**
 * The metrics of every category and seller with products, all at one instant: `onPage` gets some at a time, the categories first, each in the
 * order of their names. @returns those of low stock, and the instant in UTC milliseconds.
 */
export async function allStates(
  db: Database,
  onPage: (states: readonly MetricState[]) => void,
): Promise<{ lowStock: LowStockMetrics; readAtMs: number }> {
  return db
    .transaction()
    .setIsolationLevel('repeatable read')
    .execute(async (tx) => {
      const { state, readAtMs } = (await readStates(tx, [LOW_STOCK_KEY])).get(LOW_STOCK_KEY)!
      for (let keys = await keysAfter(tx, ''); keys.length > 0; keys = await keysAfter(tx, keys.at(-1)!)) {
        const states = [...(await readStates(tx, keys)).values()].map((read) => read.state)
        onPage(states.filter((each) => 'total_products' in each && each.total_products > 0))
      }
      return { lowStock: state as LowStockMetrics, readAtMs }
    })
}

async function keysAfter(tx: Queryable, after: string): Promise<string[]> {
  const next = sql`where key > ${after} and key <> ${LOW_STOCK_KEY} order by key limit ${PAGE_KEYS}`
  const { rows } = await sql<{ key: string }>`
    select key from (
      (select distinct key from product_metric ${next}) union (select distinct key from product_metric_delta ${next})
    ) k order by key limit ${PAGE_KEYS}`.execute(tx)
  return rows.map(({ key }) => key)
}
