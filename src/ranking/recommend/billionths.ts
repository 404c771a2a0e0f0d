/** Scores are whole billionths: sums of them are exact, and are the same in any order. */
const BILLION = 1e9
/** Above it not every whole number is a float. It is a score of nine million. */
const TOTAL_MAX = Number.MAX_SAFE_INTEGER

export function billionthsOf(value: number): number {
  return Math.min(Math.round(value * BILLION), TOTAL_MAX)
}

/** A number of billionths as the decimal that it is. */
export function decimalOf(billionths: number): number {
  return billionths / BILLION
}

/**
 * Divides a total into whole shares that are proportional to values and add up to it exactly, by the largest remainders (Hamilton's
 * method); ties go to the earlier value. @param values  finite, at least 0; with a sum above 0 unless the total is 0
 */
export function sharesOf(values: readonly number[], total: number): number[] {
  const largest = Math.max(0, ...values)
  if (largest === 0) return values.map(() => 0)
  // Divided by the largest first, so that no sum is infinite.
  const parts = values.map((value) => value / largest)
  const sum = parts.reduce((before, part) => before + part, 0)
  const exact = parts.map((part) => (part / sum) * total)
  const shares = exact.map(Math.floor)
  const byRemainder = shares.map((share, at) => ({ at, remainder: exact[at]! - share }))
  byRemainder.sort((one, other) => other.remainder - one.remainder || one.at - other.at)
  // A few more or less than there are remainders, because floats are rounded.
  const left = total - shares.reduce((before, share) => before + share, 0)
  for (let given = 0; given < left; given++) shares[byRemainder[given % shares.length]!.at]! += 1
  if (left < 0) shares[shares.indexOf(Math.max(...shares))]! += left
  return shares
}
