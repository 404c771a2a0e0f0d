import type { HistoryItem } from '../../ranking/recommend/history.ts'
import {
  type Candidate,
  createScorer,
  type HistoryEntry,
  SCORE_DEFAULTS,
  type Scorer,
  type Term,
  termsOf,
} from '../../ranking/recommend/score.ts'
import type { ServedVersion } from '../similarity/served-versions.ts'

/** The products that a version leads to from a history. */
export interface Neighbours {
  /** In no order. */
  scored: Candidate[]
  idOf: (product: number) => string
  numberOf: (productId: string) => number | undefined
  /** ω of the version. */
  contentWeight: number
  termsOf: (productId: string) => Term[]
}

/** A product that the version does not have. It keeps its place in the history. */
const UNKNOWN = -1

/** Scorers by the number of products: one for the version in force, and one for the version before while it is replaced. */
export function createNeighbourFinder(decay: number) {
  let scorer: { products: number; score: Scorer } | undefined
  const settings = { ...SCORE_DEFAULTS, decay }
  return async (version: ServedVersion, history: readonly HistoryItem[]): Promise<Neighbours> => {
    const entries: HistoryEntry[] = history.map(({ productId, strength }) => ({
      product: version.numberOf(productId) ?? UNKNOWN,
      strength,
    }))
    const rows = await version.rows(entries.flatMap(({ product }) => (product === UNKNOWN ? [] : [product])))
    if (scorer?.products !== version.products) scorer = { products: version.products, score: createScorer(version.products) }
    return {
      scored: scorer.score(entries, rows, settings),
      idOf: (product) => version.ids[product]!,
      numberOf: version.numberOf,
      contentWeight: version.contentWeight,
      termsOf: (productId) => termsOf(version.numberOf(productId) ?? UNKNOWN, entries, rows, settings),
    }
  }
}

/** S of these products; 0 for one without a score. */
export function similarityAmong({ scored, numberOf }: Neighbours, productIds: readonly string[]): (productId: string) => number {
  const wanted = new Map<number, string>()
  for (const productId of productIds) {
    const number = numberOf(productId)
    if (number !== undefined) wanted.set(number, productId)
  }
  const scores = new Map<string, number>()
  for (const { product, score } of scored) {
    const productId = wanted.get(product)
    if (productId !== undefined) scores.set(productId, score)
  }
  return (productId) => scores.get(productId) ?? 0
}
