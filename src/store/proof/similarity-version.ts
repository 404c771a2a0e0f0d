import { sql } from 'kysely'
import type { Queryable } from '../database/connection.ts'
import { onlyRow } from '../database/rows.ts'
import { type Finding, found } from './drift.ts'
import type { ProvedVersion } from './similarity-log.ts'

/** What a version says of all its products. */
interface VersionCells extends ProvedVersion {
  contentWeight: number
  isCatalogRight: boolean
}

/** The hash of the catalog, and the weight of the content. */
const COMPARED = 2

/** Compares what a version says of all its products. Reads the best similarity of every row. */
export async function versionDrift(
  tx: Queryable,
  { version, settings, contentWeight, isCatalogRight }: VersionCells,
): Promise<Finding> {
  const expected = settings.contentFactor * (await medianBest(tx, version))
  const differ = 'products whose ids, categories and brands have this hash'
  const cells = [
    ...(isCatalogRight ? [] : [{ column: 'catalog_sha256', stored: differ, expected: 'another hash' }]),
    ...(isNear(contentWeight, expected)
      ? []
      : [{ column: 'content_weight', stored: String(contentWeight), expected: String(expected) }]),
  ]
  return found(
    COMPARED,
    cells.map((cell) => ({ aggregate: 'similarity_version', key: { version }, ...cell })),
  )
}

/** The median of the best similarities of all products that have a neighbour; 0 when none has. */
async function medianBest(tx: Queryable, version: string): Promise<number> {
  const result = await sql<{ median: number }>`
    select coalesce(percentile_cont(0.5) within group (order by score[1]), 0) as median
    from similarity_row where version = ${version}::bigint and cardinality(score) > 0`.execute(tx)
  return onlyRow(result).median
}

/** A score is rounded to float32, and its factors in another order may round to the next one. */
const TOLERANCE = 2 ** -22

export function isNear(one: number, other: number): boolean {
  return Math.abs(one - other) <= TOLERANCE * Math.abs(other)
}
