/** Up to it a whole number survives its division by a power of ten, and the multiplication back. */
const WHOLE_MAX = 2 ** 51

/** A total and its parts with a limited number of decimals, so that the parts add up to the total exactly. */
export interface ExactParts {
  total: number
  parts: number[]
}

/**
 * Rounds parts to decimals. What the rounding leaves goes to the part that is farthest from 0, the earlier one of equals. There are
 * `decimalsMax` decimals, or fewer when their whole numbers would be too great for a float. @param parts  add up to about `total`
 */
export function exactParts(parts: readonly number[], total: number, decimalsMax: number): ExactParts {
  const size = parts.reduce((sum, part) => sum + Math.abs(part), Math.abs(total))
  let decimals = decimalsMax
  while (decimals > 0 && size * 10 ** decimals > WHOLE_MAX) decimals -= 1
  const unit = 10 ** decimals
  const wholes = parts.map((part) => Math.round(part * unit))
  const whole = Math.round(total * unit)
  const left = wholes.reduce((rest, part) => rest - part, whole)
  const largest = wholes.reduce((best, part, place) => (Math.abs(part) > Math.abs(wholes[best]!) ? place : best), 0)
  if (wholes.length > 0) wholes[largest]! += left
  return { total: decimalOf(whole, unit), parts: wholes.map((part) => decimalOf(part, unit)) }
}

/** Adding 0 turns −0 into 0, which is what JSON readers expect. */
function decimalOf(whole: number, unit: number): number {
  return whole / unit + 0
}
