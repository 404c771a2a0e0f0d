import type { Cases } from './cases.ts'
import { type Figure, figureOf } from './interval.ts'
import type { Ranker } from './rankers.ts'

export const MEASURES = ['hr', 'ndcg', 'mrr', 'precision', 'recall'] as const
export type Measure = (typeof MEASURES)[number]

/** What a ranking is worth at one length of its lists. */
export interface Figures extends Record<Measure, Figure> {
  k: number
  /** The share of all products that are in any list. */
  coverage: number
  /** The share of the lists' products that the ranking did not learn from. */
  newProducts: number
}

export interface Result {
  cases: number
  shoppers: number
  /** The share of targets that the ranking did not learn from; without content, none of them can be found. */
  newTargets: number
  figures: Figures[]
}

export interface MeasureOptions {
  ks: readonly number[]
  shoppers: number
  products: number
  /** Whether a ranking learnt from a product. */
  isKnown: (product: number) => boolean
  onProgress?: ((done: number, total: number) => void) | undefined
}

const PROGRESS_EVERY = 256

/** Asks all cases of a ranking. */
export function measure(ranker: Ranker, cases: Cases, options: MeasureOptions): Result {
  const { ks, shoppers, products, isKnown, onProgress } = options
  const longest = Math.max(...ks)
  const counted = new Float64Array(shoppers)
  const sums = ks.map(() => MEASURES.map(() => new Float64Array(shoppers)))
  const listed = ks.map(() => createListed(products, isKnown))
  let targetCount = 0
  let newTargets = 0
  for (let index = 0; index < cases.size; index++) {
    const { shopper, history, targets } = cases.at(index)
    const ranked = ranker(history, longest)
    counted[shopper]! += 1
    targetCount += targets.length
    for (const target of targets) if (!isKnown(target)) newTargets += 1
    const hits = ranked.map((product) => targets.includes(product))
    ks.forEach((k, at) => {
      listed[at]!.add(ranked, k)
      measuresOf(hits, targets.length, k).forEach((value, measure) => (sums[at]![measure]![shopper]! += value))
    })
    if (index % PROGRESS_EVERY === 0) onProgress?.(index, cases.size)
  }
  onProgress?.(cases.size, cases.size)
  return {
    cases: cases.size,
    shoppers: counted.filter((count) => count > 0).length,
    newTargets: targetCount === 0 ? 0 : newTargets / targetCount,
    figures: ks.map((k, at) => ({ k, ...figuresOf(sums[at]!, counted), ...listed[at]!.shares() })),
  }
}

/**
 * One case's values at k, in the order of MEASURES. With several targets, NDCG's ideal list has all of them, also beyond k: M. Ferrari
 * Dacrema et al., A troubling analysis of reproducibility and progress in recommender systems research, ACM TOIS 39(2), 2021.
 */
function measuresOf(hits: readonly boolean[], targets: number, k: number): number[] {
  let found = 0
  let gain = 0
  let first = 0
  for (let rank = 0; rank < Math.min(k, hits.length); rank++) {
    if (!hits[rank]) continue
    found += 1
    gain += gainAt(rank)
    if (first === 0) first = 1 / (rank + 1)
  }
  return [found > 0 ? 1 : 0, gain / idealGain(targets), first, found / k, found / targets]
}

const gainAt = (rank: number): number => 1 / Math.log2(rank + 2)

const IDEAL_GAINS = [0]

function idealGain(targets: number): number {
  for (let count = IDEAL_GAINS.length; count <= targets; count++) IDEAL_GAINS.push(IDEAL_GAINS[count - 1]! + gainAt(count - 1))
  return IDEAL_GAINS[targets]!
}

function figuresOf(sums: readonly Float64Array[], counted: Float64Array): Record<Measure, Figure> {
  return Object.fromEntries(MEASURES.map((measure, at) => [measure, figureOf(sums[at]!, counted)])) as Record<Measure, Figure>
}

/** Counts the products of lists. */
function createListed(products: number, isKnown: (product: number) => boolean) {
  const isListed = new Uint8Array(products)
  let listed = 0
  let unknown = 0
  return {
    add: (ranked: readonly number[], k: number) => {
      for (const product of ranked.slice(0, k)) {
        isListed[product] = 1
        listed += 1
        if (!isKnown(product)) unknown += 1
      }
    },
    shares: () => ({
      coverage: products === 0 ? 0 : isListed.reduce((sum, one) => sum + one, 0) / products,
      newProducts: listed === 0 ? 0 : unknown / listed,
    }),
  }
}
