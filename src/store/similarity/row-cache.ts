import type { SimilarityRow } from './rows.ts'

/** Rows that were read, the most recently used. */
export interface RowCache {
  get: (version: number, productNo: number) => SimilarityRow | undefined
  add: (version: number, row: SimilarityRow) => void
  bytes: () => number
}

/** Objects, buffers and map entry of a row, apart from the numbers themselves: measured with 37,000 rows. */
const ROW_BYTES = 1_500
/** No shop has more products in a version. */
const PRODUCTS_MAX = 2 ** 22

export function createRowCache(bytesMax: number): RowCache {
  // A Map keeps the order in which entries were added, so the first one was not used for the longest time.
  const rows = new Map<number, SimilarityRow>()
  let bytes = 0
  const keyOf = (version: number, productNo: number) => version * PRODUCTS_MAX + productNo
  return {
    get: (version, productNo) => {
      const key = keyOf(version, productNo)
      const row = rows.get(key)
      if (row === undefined) return undefined
      rows.delete(key)
      rows.set(key, row)
      return row
    },
    add: (version, row) => {
      const key = keyOf(version, row.productNo)
      if (rows.has(key)) return
      rows.set(key, row)
      bytes += bytesOf(row)
      for (const [oldest, old] of rows) {
        if (bytes <= bytesMax) break
        rows.delete(oldest)
        bytes -= bytesOf(old)
      }
    },
    bytes: () => bytes,
  }
}

function bytesOf({ neighbours, contentNeighbours, bought }: SimilarityRow): number {
  return ROW_BYTES + 20 * neighbours.length + 8 * contentNeighbours.length + 8 * bought.length
}
