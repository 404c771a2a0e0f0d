import { type ByteCache, createByteCache } from './byte-cache.ts'
import type { SimilarityRow } from './rows.ts'

/** Objects, buffers and map entry of a row, apart from the numbers themselves. */
const ROW_BYTES = 1_500

/** Rows that were read, by `productKey`. */
export function createRowCache(bytesMax: number): ByteCache<SimilarityRow> {
  return createByteCache(
    bytesMax,
    ({ neighbours, contentNeighbours, bought }) =>
      ROW_BYTES + 20 * neighbours.length + 8 * contentNeighbours.length + 8 * bought.length,
  )
}
