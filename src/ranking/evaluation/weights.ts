import type { Row, SimilarityRows } from '../recommend/score.ts'

const NONE = { contentNeighbours: new Int32Array(0), cosines: new Float32Array(0), counts: new Uint32Array(0) }

/** How much each product of a history adds to a target, collected target by target, and read source by source. */
export interface WeightCollector {
  add: (source: number, target: number, weight: number) => void
  rows: () => SimilarityRows
}

export function createWeightCollector(products: number): WeightCollector {
  const targets = Array.from({ length: products }, (): number[] => [])
  const weights = Array.from({ length: products }, (): number[] => [])
  return {
    add: (source, target, weight) => {
      targets[source]!.push(target)
      weights[source]!.push(weight)
    },
    rows: () => {
      const rows = targets.map((neighbours, source): Row => ({
        neighbours: Int32Array.from(neighbours),
        scores: Float32Array.from(weights[source]!),
        ...NONE,
      }))
      return { contentWeight: 0, row: (product) => rows[product] }
    },
  }
}
