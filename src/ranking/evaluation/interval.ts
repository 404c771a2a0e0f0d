export interface Figure {
  value: number
  /** The 95 % confidence interval. */
  low: number
  high: number
}

/** The normal quantile of 95 %, both sides. */
const Z = 1.96

/** With fewer hits, or fewer misses, a normal distribution does not describe a mean. A usual rule of thumb. */
const NORMAL_MIN = 10

/**
 * A mean of values from 0 to 1 over cases with its 95 % interval, for cases of one shopper that depend on each other: the linearized
 * variance of a ratio, W. G. Cochran, Sampling techniques, 3rd ed., 1977, section 6.3. With hits or misses of fewer than 10 shoppers, or
 * as few in effect, it is the interval of E. B. Wilson, JASA 22, 1927, for as many independent cases as the cases are worth when those of
 * one shopper are alike (L. Kish, Survey sampling, 1965). This is rather too wide than too narrow.
 */
export function figureOf(sums: Float64Array, counted: Float64Array): Figure {
  let [cases, shoppers, sum, squaredCounts, withHits, withMisses] = [0, 0, 0, 0, 0, 0]
  counted.forEach((count, shopper) => {
    if (count === 0) return
    cases += count
    shoppers += 1
    sum += sums[shopper]!
    squaredCounts += count ** 2
    if (sums[shopper]! > 0) withHits += 1
    if (sums[shopper]! < count) withMisses += 1
  })
  if (cases === 0) return { value: 0, low: 0, high: 0 }
  const value = Math.min(1, sum / cases)
  let squares = 0
  counted.forEach((count, shopper) => (squares += (sums[shopper]! - value * count) ** 2))
  const variance = shoppers < 2 ? 0 : (squares * shoppers) / (shoppers - 1) / cases ** 2
  const spread = value * (1 - value)
  const independent = variance === 0 ? cases : Math.min(cases, spread / variance)
  const isNormal = Math.min(withHits, withMisses, independent * value, independent * (1 - value)) >= NORMAL_MIN
  if (isNormal && variance > 0) return around(value, value, Z * Math.sqrt(variance))
  return wilson(value, Math.min(cases ** 2 / squaredCounts, Math.max(1, independent)))
}

function wilson(value: number, cases: number): Figure {
  const shrink = 1 + Z ** 2 / cases
  const centre = (value + Z ** 2 / (2 * cases)) / shrink
  return around(value, centre, (Z / shrink) * Math.sqrt((value * (1 - value)) / cases + Z ** 2 / (4 * cases ** 2)))
}

/** Rounding leaves no interval outside its value. */
const around = (value: number, centre: number, error: number): Figure => ({
  value,
  low: Math.min(value, Math.max(0, centre - error)),
  high: Math.max(value, Math.min(1, centre + error)),
})
