import { sharedFloat32, sharedInt32, sharedUint32 } from './shared-arrays.ts'

/** The neighbours of every product: row i is at i · neighboursMax, best first, ties by the smaller number. */
export interface Rows {
  products: number
  neighboursMax: number
  /** How many neighbours each product has. */
  length: Int32Array
  neighbour: Int32Array
  score: Float32Array
  /** From how many pairs of events each score is. */
  count: Uint32Array
}

/** Rows that all threads can write. */
export function sharedRows(products: number, neighboursMax: number): Rows {
  const cells = products * neighboursMax
  return {
    products,
    neighboursMax,
    length: sharedInt32(products),
    neighbour: sharedInt32(cells),
    score: sharedFloat32(cells),
    count: sharedUint32(cells),
  }
}
