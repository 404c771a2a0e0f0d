import type { Histories } from './histories.ts'
import type { SimilaritySettings } from './settings.ts'

/** Weights of pairs are whole numbers of this unit, so that their sum is exact, and does not depend on the order of shoppers. */
export const WEIGHT_UNIT = 2 ** -20

/**
 * One float holds the number of pairs in its lowest 16 bits and the sum of their weights in the 37 bits above, so that a pair costs one
 * read, one addition and one write. Two arrays took 4 % more with one thread, and 12 % more with two, which share a cache.
 */
const WEIGHT_STEP = 2 ** 16
const PAIRS_MAX = 2 ** 16 - 1

/** The pairs of one product with all others. */
export interface PairSums {
  /** Adds the pairs of a product. Returns how many products are in `touched`. */
  add: (i: number) => number
  touched: Int32Array
  /** The sum of weights with a touched product, in units. */
  weight: (j: number) => number
  /** The number of pairs with a touched product. */
  pairs: (j: number) => number
  /** Forgets the first touched products. */
  clear: (count: number) => void
}

/** The weight of a pair at each gap, in units. */
export function pairWeightsOf({ gamma, rho, window }: Pick<SimilaritySettings, 'gamma' | 'rho' | 'window'>): {
  forward: Float64Array
  backward: Float64Array
} {
  const weights = (factor: number) =>
    Float64Array.from({ length: window + 1 }, (_, gap) => (gap === 0 ? 0 : Math.round((factor * gap ** -gamma) / WEIGHT_UNIT)))
  return { forward: weights(1), backward: weights(rho) }
}

export function createPairSums(histories: Histories, settings: SimilaritySettings): PairSums {
  const { products, product, before, after, sourceStart, sources } = histories
  const { forward, backward } = pairWeightsOf(settings)
  const forwardStep = forward.map((weight) => weight * WEIGHT_STEP + 1)
  const backwardStep = backward.map((weight) => weight * WEIGHT_STEP + 1)
  const sums = new Float64Array(products)
  const touched = new Int32Array(products)
  const eventsMax = eventsPerSpill(settings)
  const spilled = createSpill(products)

  const addEvents = (from: number, to: number, touchedBefore: number): number => {
    let count = touchedBefore
    for (let at = from; at < to; at++) {
      const event = sources[at]!
      const last = event + after[event]!
      for (let other = event + 1; other <= last; other++) {
        const j = product[other]!
        const sum = sums[j]!
        if (sum === 0) touched[count++] = j
        sums[j] = sum + forwardStep[other - event]!
      }
      const first = event - before[event]!
      for (let other = event - 1; other >= first; other--) {
        const j = product[other]!
        const sum = sums[j]!
        if (sum === 0) touched[count++] = j
        sums[j] = sum + backwardStep[event - other]!
      }
    }
    return count
  }
  const add = (i: number): number => {
    const end = sourceStart[i + 1]!
    let count = 0
    for (let from = sourceStart[i]!; from < end; from += eventsMax) {
      if (count > 0) spilled.take(sums, touched, count)
      count = addEvents(from, Math.min(end, from + eventsMax), count)
    }
    return count
  }
  return {
    add,
    touched,
    weight: (j) => weightIn(sums[j]!) + spilled.weight(j),
    pairs: (j) => pairsIn(sums[j]!) + spilled.pairs(j),
    clear: (count) => {
      for (let at = 0; at < count; at++) sums[touched[at]!] = 0
      spilled.clear(touched, count)
    },
  }
}

const weightIn = (sum: number): number => Math.floor(sum / WEIGHT_STEP)
/** The remainder operator takes ten times as long for floats. */
const pairsIn = (sum: number): number => sum - weightIn(sum) * WEIGHT_STEP

/** After so many events of a product, the 16 bits for the pairs with another one may be full. Without repeats it is at most every second event. */
function eventsPerSpill({ window, repeats }: SimilaritySettings): number {
  return Math.floor((PAIRS_MAX - 1) / (repeats ? 2 * window : 2 * Math.ceil(window / 2)))
}

interface Spill {
  weight: (j: number) => number
  pairs: (j: number) => number
  /** Takes the sums, and leaves one pair without weight for each, so that it stays touched. */
  take: (sums: Float64Array, touched: Int32Array, count: number) => void
  clear: (touched: Int32Array, count: number) => void
}

/** The sums of products with so many events that one float does not hold them; with the usual bounds there are none. */
function createSpill(products: number): Spill {
  let weights: Float64Array | undefined
  let pairs: Float64Array | undefined
  let isUsed = false
  return {
    weight: (j) => (isUsed ? weights![j]! : 0),
    pairs: (j) => (isUsed ? pairs![j]! : 0),
    take: (sums, touched, count) => {
      isUsed = true
      weights ??= new Float64Array(products)
      pairs ??= new Float64Array(products)
      for (let at = 0; at < count; at++) {
        const j = touched[at]!
        weights[j]! += weightIn(sums[j]!)
        pairs[j]! += pairsIn(sums[j]!) - 1
        sums[j] = 1
      }
    },
    clear: (touched, count) => {
      if (!isUsed) return
      isUsed = false
      for (let at = 0; at < count; at++) weights![touched[at]!] = pairs![touched[at]!] = 0
    },
  }
}
