import type { Queryable } from '../database/connection.ts'
import { type Gathered, gathered } from '../database/gathered.ts'
import { createRowCache, type RowCache } from './row-cache.ts'
import { bytesOfRow, bytesOfScoreRow, rowsOf, scoreRowsOf, type SimilarityRow, type StoredScoreRow } from './rows.ts'

/** Rows by the numbers of their products. */
type Rows<Row> = (productNos: readonly number[]) => Promise<ReadonlyMap<number, Row>>

/** The rows of one version. Those that are not kept are read in one statement, which callers of the moment share. */
export interface VersionRows {
  /** @throws VersionGoneError */
  whole: Rows<SimilarityRow>
  /** The parts that scores are made of. @throws VersionGoneError */
  scores: Rows<StoredScoreRow>
}

/** Thrown when rows are missing: the version was deleted. */
export class VersionGoneError extends Error {}

/** The part of the memory for whole rows. A list with reasons needs some, and all others need the parts for scores alone. */
const WHOLE_SHARE = 0.25
/** About 400 KB of a statement's answer. */
const ROWS_AT_ONCE = 60

export function createVersionRows(db: Queryable, version: number, products: number, bytesMax: number): VersionRows {
  return {
    whole: keptRows(createRowCache(products, WHOLE_SHARE * bytesMax, bytesOfRow), (nos) => rowsOf(db, version, nos), version),
    scores: keptRows(
      createRowCache(products, (1 - WHOLE_SHARE) * bytesMax, bytesOfScoreRow),
      (nos) => scoreRowsOf(db, version, nos),
      version,
    ),
  }
}

function keptRows<Row extends StoredScoreRow>(
  cache: RowCache<Row>,
  readRows: (productNos: readonly number[]) => Promise<Row[]>,
  version: number,
): Rows<Row> {
  const read: Gathered<number, Row> = gathered(async (productNos) => {
    const rows = await readRows(productNos)
    return new Map(rows.map((row) => [row.productNo, row]))
  }, ROWS_AT_ONCE)
  return async (productNos) => {
    const rows = new Map<number, Row>()
    const missing: number[] = []
    for (const productNo of productNos) {
      const kept = cache.get(productNo)
      if (kept === undefined) missing.push(productNo)
      else rows.set(productNo, kept)
    }
    if (missing.length === 0) return rows
    const found = await read(missing)
    for (const productNo of missing) {
      const row = found.get(productNo)
      // Every product of a version has a row.
      if (row === undefined) throw new VersionGoneError(`version ${version} was deleted`)
      cache.add(productNo, row)
      rows.set(productNo, row)
    }
    return rows
  }
}
