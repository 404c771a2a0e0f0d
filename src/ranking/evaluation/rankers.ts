import { createScorer, distinctHistory, type ScoreSettings, type SimilarityRows } from '../recommend/score.ts'
import type { Train } from './cases.ts'

/** The best products for a history, oldest event first; best first, at most `count`. */
export type Ranker = (history: Int32Array, count: number) => number[]

export interface Learnt {
  /** Products with events by the number of these, most first, ties by number. No list is filled with a product that was not learnt from. */
  byPopularity: Int32Array
  /** Whether there is an event of a product. */
  isKnown: (product: number) => boolean
}

/** What can be said of a train without a model. */
export function learntFrom(train: Train): Learnt {
  const { sequences, length } = train
  const counts = new Int32Array(sequences.products)
  for (let shopper = 0; shopper < sequences.shoppers; shopper++) {
    const from = sequences.start[shopper]!
    for (let event = from; event < from + length[shopper]!; event++) counts[sequences.product[event]!]! += 1
  }
  const byPopularity = Int32Array.from(counts.keys()).filter((product) => counts[product]! > 0)
  byPopularity.sort((a, b) => counts[b]! - counts[a]! || a - b)
  return { byPopularity, isKnown: (product) => counts[product]! > 0 }
}

/** Ranks by the score that serves; where it has too few products, popular ones follow, as long as there are any. */
export function scoreRanker(
  rows: SimilarityRows,
  settings: ScoreSettings,
  { byPopularity }: Learnt,
  isSeenRemoved: boolean,
): Ranker {
  const score = createScorer()
  return (history, count) => {
    const seen = new Set(isSeenRemoved ? history : [])
    const entries = Array.from(history, (product) => ({ product, strength: 1 })).reverse()
    const ranked = score(distinctHistory(entries, settings), rows, settings, count + seen.size)
      .map(({ product }) => product)
      .filter((product) => !seen.has(product))
      .slice(0, count)
    return filled(ranked, byPopularity, seen, count)
  }
}

/** Baseline: what most events are of. */
export function popularityRanker({ byPopularity }: Learnt, isSeenRemoved: boolean): Ranker {
  return (history, count) => filled([], byPopularity, new Set(isSeenRemoved ? history : []), count)
}

/** Baseline: what the shopper had last, newest first, of the products that were learnt from. */
export function lastSeenRanker({ isKnown }: Learnt): Ranker {
  return (history, count) => [...new Set(history.toReversed())].filter(isKnown).slice(0, count)
}

function filled(ranked: number[], byPopularity: Int32Array, seen: ReadonlySet<number>, count: number): number[] {
  const listed = new Set(ranked)
  for (let at = 0; ranked.length < count && at < byPopularity.length; at++) {
    const product = byPopularity[at]!
    if (!seen.has(product) && !listed.has(product)) ranked.push(product)
  }
  return ranked
}
