import { createRowCounter } from './count-rows.ts'
import type { Histories } from './histories.ts'
import { type Rows, sharedRows } from './rows.ts'
import type { SimilaritySettings } from './settings.ts'
import { sharedInt32 } from './shared-arrays.ts'

export interface Matrix extends Rows {
  /** d_i, the counting events of each product. */
  events: Int32Array
  /** The median of the best scores of all products that have a neighbour; 0 when none has. */
  medianBest: number
}

/** One thread; the numbers of the pool of threads are the same. */
export function similarityOf(histories: Histories, settings: SimilaritySettings): Matrix {
  const rows = sharedRows(histories.products, settings.neighboursMax)
  createRowCounter(histories, settings, rows)(0, histories.products)
  return matrixOf(histories, rows)
}

/** The matrix of finished rows. */
export function matrixOf({ sourceStart, products }: Histories, rows: Rows): Matrix {
  const events = sharedInt32(products)
  for (let product = 0; product < products; product++) events[product] = sourceStart[product + 1]! - sourceStart[product]!
  return { ...rows, events, medianBest: medianBestOf(rows) }
}

function medianBestOf({ length, score, neighboursMax }: Rows): number {
  const best = new Float32Array(length.length)
  let count = 0
  for (let product = 0; product < length.length; product++) {
    if (length[product]! > 0) best[count++] = score[product * neighboursMax]!
  }
  const sorted = best.subarray(0, count).sort()
  return count === 0 ? 0 : (sorted[Math.floor((count - 1) / 2)]! + sorted[Math.ceil((count - 1) / 2)]!) / 2
}
