import type { HistoryItem } from '../../ranking/recommend/history.ts'
import {
  type Candidate,
  createScorer,
  type HistoryEntry,
  SCORE_DEFAULTS,
  type Term,
  termsOf,
} from '../../ranking/recommend/score.ts'
import type { ServedVersion } from '../similarity/served-versions.ts'

/** The products that a version leads to from a history. */
export interface Neighbours {
  /** The products with the highest scores, best first; ties by number. */
  best: (max: number) => Candidate[]
  /** The ids of the version, in the order of the numbers. */
  ids: readonly string[]
  /** S of these products; 0 for one without a score. */
  similaritiesOf: (productIds: readonly string[]) => (productId: string) => number
  /** ω of the version. */
  contentWeight: number
  /** None unless the neighbours were found to be explained. */
  termsOf: (productId: string) => Term[]
}

/** A product that the version does not have. It keeps its place in the history. */
const UNKNOWN = -1

/** Scores are computed each time that they are asked for, which takes 50 µs, and not kept: a history of 20 products leads to thousands. */
export function createNeighbourFinder() {
  const score = createScorer()

  return async (version: ServedVersion, history: readonly HistoryItem[], explains: boolean): Promise<Neighbours> => {
    const settings = { ...SCORE_DEFAULTS, decay: version.decay }
    const entries: HistoryEntry[] = history.map(({ productId, strength }) => ({
      product: version.numberOf(productId) ?? UNKNOWN,
      strength,
    }))
    const known = entries.flatMap(({ product }) => (product === UNKNOWN ? [] : [product]))
    const whole = explains ? await version.rows(known) : undefined
    const rows = whole ?? (await version.scoreRows(known))
    const best = (max: number) => score(entries, rows, settings, max)
    return {
      best,
      ids: version.ids,
      similaritiesOf: (productIds) => {
        const numbers = new Set(productIds.flatMap((productId) => version.numberOf(productId) ?? []))
        const scores = new Map<string, number>()
        for (const { product, score } of best(Infinity)) if (numbers.has(product)) scores.set(version.ids[product]!, score)
        return (productId) => scores.get(productId) ?? 0
      },
      contentWeight: version.contentWeight,
      termsOf: (productId) => (whole ? termsOf(version.numberOf(productId) ?? UNKNOWN, entries, whole, settings) : []),
    }
  }
}
