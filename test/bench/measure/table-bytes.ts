import { sql } from 'kysely'
import type { Database } from '../../../src/store/database/connection.ts'
import { withoutTimeout } from '../servers/without-timeout.ts'
import { type Claim, formatted } from './claim.ts'
import { relationSizes, totalBytes } from './relation-sizes.ts'

/** The recent events of shoppers are another copy of the log, so they are counted apart. */
export const RECENT = ['shopper_recent']
/** Events update rows of these tables, so that they become larger than new ones. */
export const CHANGED = ['product_popularity', 'product_hour', 'shopper_product']

/** Bytes per event of each table with its indexes. */
export type TableBytes = Map<string, number>

export async function tableBytes(db: Database, events: number): Promise<TableBytes> {
  const sizes = await relationSizes(db)
  const bytesOf = (table: string) => totalBytes(sizes.filter((size) => size.table === table).map(({ bytes }) => bytes)) / events
  return new Map([...new Set(sizes.map(({ table }) => table))].map((table) => [table, bytesOf(table)]))
}

export function bytesOfRecent(tables: TableBytes): number {
  return totalBytes(RECENT.map((table) => tables.get(table)!))
}

export function bytesWithoutRecent(tables: TableBytes): number {
  return totalBytes([...tables.values()]) - bytesOfRecent(tables)
}

/** Rewrites the tables that change by `vacuum full`. @returns the bytes of all tables afterwards. */
export async function rewriteChanged(db: Database, events: number): Promise<TableBytes> {
  await withoutTimeout(db, async (unlimited) => {
    for (const table of CHANGED) await sql`vacuum full ${sql.table(table)}`.execute(unlimited)
  })
  return tableBytes(db, events)
}

/** The bytes of the main tables, for the detail of a claim. */
export function partsOf(tables: TableBytes): string {
  return ['interaction', ...CHANGED].map((table) => `${table} ${formatted(tables.get(table)!)}`).join(', ')
}

/** How many times as large as new ones the changed tables are. */
export function bloatClaims(written: TableBytes, renewed: TableBytes): Claim[] {
  return CHANGED.map((table) => ({
    what: `— ${table} as written ÷ after VACUUM FULL`,
    measured: written.get(table)! / renewed.get(table)!,
    target: { max: 1.3 },
    detail: `${formatted(written.get(table)!)} and ${formatted(renewed.get(table)!)} bytes per event, with indexes`,
  }))
}
