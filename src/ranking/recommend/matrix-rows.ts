import type { Content } from '../similarity/content.ts'
import type { Matrix } from '../similarity/matrix.ts'
import type { SimilaritySettings } from '../similarity/settings.ts'
import type { SimilarityRows } from './score.ts'

const NO_NEIGHBOURS = new Int32Array(0)
const NO_COSINES = new Float32Array(0)

/** The rows of a matrix in memory; nothing is copied. */
export function rowsOfMatrix(
  matrix: Matrix,
  content: Content | undefined,
  { contentFactor }: Pick<SimilaritySettings, 'contentFactor'>,
): SimilarityRows {
  return {
    contentWeight: content === undefined ? 0 : contentFactor * matrix.medianBest,
    row: (product) => {
      if (product >= matrix.products) return undefined
      const from = product * matrix.neighboursMax
      const to = from + matrix.length[product]!
      return {
        neighbours: matrix.neighbour.subarray(from, to),
        scores: matrix.score.subarray(from, to),
        counts: matrix.count.subarray(from, to),
        ...contentRow(content, product),
      }
    },
  }
}

function contentRow(content: Content | undefined, product: number) {
  if (content === undefined) return { contentNeighbours: NO_NEIGHBOURS, cosines: NO_COSINES }
  const from = product * content.neighboursMax
  const to = from + content.length[product]!
  return { contentNeighbours: content.neighbour.subarray(from, to), cosines: content.cosine.subarray(from, to) }
}
