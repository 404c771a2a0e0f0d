import { sql } from 'kysely'
import { audit } from '../audit/audit-entry.ts'
import type { Database } from '../database/connection.ts'
import { takeNamedLocks } from '../database/locks.ts'
import { onlyRow } from '../database/rows.ts'
import { allowLongStatements } from '../database/transaction.ts'
import { summedMetrics } from './metric-state.ts'

export const METRIC_CELLS = ['total', 'active', 'deleted', 'value', 'price_sum'] as const
const SHOWN_MAX = 100

/**
 * The metrics by the products alone. Written without the function of the triggers, so that the proof does not repeat its mistakes. One
 * pass over the catalog.
 */
export const EXPECTED_METRICS = sql`
  select 'SELLER#' || seller_id as key, case when status = 'deleted' then '' else coalesce(currency, '') end as currency,
    count(*) as total, count(*) filter (where status = 'active') as active, count(*) filter (where status = 'deleted') as deleted,
    coalesce(sum(price::numeric * quantity) filter (where status <> 'deleted' and quantity > 0), 0) as value,
    coalesce(sum(price::numeric) filter (where status <> 'deleted'), 0) as price_sum
  from catalog.product where seller_id is not null group by 1, 2
  union all
  select 'CATEGORY#' || category, coalesce(currency, ''), count(*), count(*) filter (where status = 'active'), 0,
    coalesce(sum(price::numeric * quantity) filter (where quantity > 0), 0), coalesce(sum(price::numeric), 0)
  from catalog.product where category is not null and status <> 'deleted' group by 1, 2
  union all
  select 'LOWSTOCK', '', count(*), count(*), 0, 0, 0
  from catalog.product, product_metric_setting where status = 'active' and quantity < low_stock_below having count(*) > 0`

/** The metrics as they are read, without those of no product. */
export const STORED_METRICS = sql`
  select * from (${summedMetrics(sql`true`)}) s
  where total <> 0 or active <> 0 or deleted <> 0 or value <> 0 or price_sum <> 0`

export interface MetricDifference {
  key: string
  currency: string
  column: string
  stored: string
  expected: string
}

export interface Rebuilt {
  /** How many cells differed. */
  cells: number
  /** The first of them. */
  shown: MetricDifference[]
}

/**
 * Compares all metrics with the catalog at one instant, and appends what is missing as deltas, which it leaves out with `isDry`. No
 * writer of products waits, because theirs are deltas too.
 */
export function rebuildMetrics(db: Database, actor: string, { isDry = false } = {}): Promise<Rebuilt> {
  return db.transaction().execute(async (tx) => {
    await allowLongStatements(tx)
    // Two rebuilds at once would both append what is missing.
    await takeNamedLocks(tx, [['product metrics', 'rebuild']])
    const difference = (cell: string) =>
      sql`coalesce(e.${sql.ref(cell)}, 0)::numeric - coalesce(s.${sql.ref(cell)}, 0)::numeric as ${sql.ref(cell)}`
    const changes = sql.join(METRIC_CELLS.map(difference))
    const isChanged = sql.join(
      METRIC_CELLS.map((cell) => sql`${sql.ref(cell)} <> 0`),
      sql` or `,
    )
    const cellsOf = sql.join(
      METRIC_CELLS.map((cell) => sql`(${sql.lit(cell)}, d.${sql.ref(cell)}, d.${sql.ref(`stored_${cell}`)})`),
    )
    const storedCells = sql.join(
      METRIC_CELLS.map((cell) => sql`coalesce(s.${sql.ref(cell)}, 0)::numeric as ${sql.ref(`stored_${cell}`)}`),
    )
    const columns = sql.join(METRIC_CELLS.map((cell) => sql.ref(cell)))
    const appended = sql`appended as (
        insert into product_metric_delta (key, currency, ${columns})
        select key, currency, ${columns} from difference order by key, currency
      ),`
    const result = await sql<Rebuilt>`
      with difference as materialized (
        select * from (
          select key, currency, ${changes}, ${storedCells}
          from (${STORED_METRICS}) s full join (${EXPECTED_METRICS}) e using (key, currency)
        ) d where ${isChanged}
      ), ${isDry ? sql`` : appended}
      cell as (
        select d.key, d.currency, c.name, c.stored, c.stored + c.change as expected
        from difference d cross join lateral (values ${cellsOf}) c (name, change, stored) where c.change <> 0
      )
      select (select count(*)::int from cell) as cells, (
        select coalesce(json_agg(json_build_object('key', key, 'currency', currency, 'column', name, 'stored', stored::text,
          'expected', expected::text)), '[]')
        from (select * from cell order by key, currency, name limit ${SHOWN_MAX}) shown) as shown`.execute(tx)
    const { cells, shown } = onlyRow(result)
    if (!isDry && cells > 0) {
      const metadata = { cells }
      await audit(tx, { actor, action: 'metrics.rebuild', resourceType: 'product_metric', resourceId: '*', metadata })
    }
    return { cells, shown }
  })
}
