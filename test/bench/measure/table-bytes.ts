import { sql } from 'kysely'
import type { Database } from '../../../src/store/database/connection.ts'
import { withoutTimeout } from '../servers/without-timeout.ts'
import { type Claim, formatted } from './claim.ts'
import { relationSizes, totalBytes } from './relation-sizes.ts'

/** The recent events of shoppers are another copy of the log, and have lines of their own. */
export const APART = ['shopper_recent']
/** Events change rows of these tables, so that they take more than new ones. */
export const CHANGED = ['product_popularity', 'product_hour', 'shopper_product']

/** Bytes per event of each table with its indexes. */
export type TableBytes = Map<string, number>

export async function tableBytes(db: Database, events: number): Promise<TableBytes> {
  const sizes = await relationSizes(db)
  const of = (table: string) => totalBytes(sizes.filter((size) => size.table === table).map(({ bytes }) => bytes)) / events
  return new Map([...new Set(sizes.map(({ table }) => table))].map((table) => [table, of(table)]))
}

export function bytesApart(tables: TableBytes): number {
  return totalBytes(APART.map((table) => tables.get(table)!))
}

/** Of all tables but those apart. */
export function bytesOfOthers(tables: TableBytes): number {
  return totalBytes([...tables.values()]) - bytesApart(tables)
}

/** What `vacuum full` leaves of the tables that change. */
export async function bytesOfNewTables(db: Database, events: number): Promise<TableBytes> {
  await withoutTimeout(db, async (unlimited) => {
    for (const table of CHANGED) await sql`vacuum full ${sql.table(table)}`.execute(unlimited)
  })
  return tableBytes(db, events)
}

/** How much more the tables that change take than new ones. */
export function bloatClaims(written: TableBytes, renewed: TableBytes): Claim[] {
  return CHANGED.map((table) => ({
    what: `— ${table} as written ÷ after VACUUM FULL`,
    measured: written.get(table)! / renewed.get(table)!,
    target: { max: 1.3 },
    detail: `${formatted(written.get(table)!)} and ${formatted(renewed.get(table)!)} bytes per event, with indexes`,
  }))
}
