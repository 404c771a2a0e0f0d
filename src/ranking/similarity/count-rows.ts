import { createBest } from './best.ts'
import type { Histories } from './histories.ts'
import type { Rows } from './rows.ts'
import { createPairSums, WEIGHT_UNIT } from './pair-sums.ts'
import type { SimilaritySettings } from './settings.ts'

/** Counts the rows from a product up to another one, and writes them. */
export type RowCounter = (from: number, to: number) => void

/** One row is always counted by one thread. A counter takes 12 bytes for each product. */
export function createRowCounter(histories: Histories, settings: SimilaritySettings, rows: Rows): RowCounter {
  const { products, sourceStart } = histories
  const { alpha, beta, kappa, neighboursMax, repeats } = settings
  const powersOf = (exponent: number) =>
    Float64Array.from({ length: products }, (_, i) => (sourceStart[i + 1]! - sourceStart[i]!) ** -exponent)
  const ownPower = powersOf(alpha)
  const otherPower = powersOf(beta)
  const sums = createPairSums(histories, settings)
  const best = createBest(neighboursMax)

  const pick = (i: number, count: number) => {
    const own = WEIGHT_UNIT * ownPower[i]!
    for (let at = 0; at < count; at++) {
      const j = sums.touched[at]!
      const unshrunk = sums.weight(j) * own * otherPower[j]!
      // Shrinking only makes it less.
      if (Math.fround(unshrunk) < best.least() || (j === i && !repeats)) continue
      const pairs = sums.pairs(j)
      const score = Math.fround(unshrunk * (pairs / (pairs + kappa)))
      if (score > 0 && score >= best.least()) best.add(score, j)
    }
  }
  const write = (i: number) => {
    const offset = i * neighboursMax
    rows.length[i] = best.take((rank, score, j) => {
      rows.neighbour[offset + rank] = j
      rows.score[offset + rank] = score
      rows.count[offset + rank] = sums.pairs(j)
    })
  }
  return (from, to) => {
    for (let i = from; i < to; i++) {
      const count = sums.add(i)
      pick(i, count)
      write(i)
      sums.clear(count)
    }
  }
}
