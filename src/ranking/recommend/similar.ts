import type { SimilarityRows } from './score.ts'

/** A neighbour of a product, with both directions of their similarity. */
export interface Neighbour {
  product: number
  /** From the product to this one: s and pairs, 0 when it is not among the best of the row. */
  to: Direction
  /** From this one to the product. */
  from: Direction
  cosine: number
  /** s_ij + s_ji + ω · C_ij */
  score: number
}

interface Direction {
  similarity: number
  pairs: number
}

/**
 * The row of a product, symmetrised: of each neighbour by similarity or content, s_ij + s_ji + ω · C_ij, best first; ties by the smaller
 * number. s_ji is of the neighbour's row, and 0 when that row does not have the product. Undefined for a product that the similarities do
 * not have. Reads the row of each neighbour by similarity.
 */
export function neighboursOf(product: number, { row: rowOf, contentWeight }: SimilarityRows): Neighbour[] | undefined {
  const row = rowOf(product)
  if (row === undefined) return undefined
  const neighbours = new Map<number, Omit<Neighbour, 'score'>>()
  for (const [at, other] of row.neighbours.entries()) {
    const to = { similarity: row.scores[at]!, pairs: row.counts[at]! }
    neighbours.set(other, { product: other, to, from: NONE, cosine: 0 })
  }
  for (const [at, other] of row.contentNeighbours.entries()) {
    const known = neighbours.get(other) ?? { product: other, to: NONE, from: NONE, cosine: 0 }
    neighbours.set(other, { ...known, cosine: row.cosines[at]! })
  }
  neighbours.delete(product)
  return [...neighbours.values()]
    .map((each) =>
      withScore(each.to === NONE ? each : { ...each, from: directionTo(product, rowOf(each.product)) }, contentWeight),
    )
    .filter(({ score }) => score > 0)
    .sort((one, other) => other.score - one.score || one.product - other.product)
}

const NONE: Direction = { similarity: 0, pairs: 0 }

function directionTo(product: number, row: ReturnType<SimilarityRows['row']>): Direction {
  const at = row?.neighbours.indexOf(product) ?? -1
  return row === undefined || at < 0 ? NONE : { similarity: row.scores[at]!, pairs: row.counts[at]! }
}

function withScore(neighbour: Omit<Neighbour, 'score'>, contentWeight: number): Neighbour {
  const { to, from, cosine } = neighbour
  return { ...neighbour, score: to.similarity + from.similarity + contentWeight * cosine }
}
