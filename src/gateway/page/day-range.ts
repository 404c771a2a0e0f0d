import { wholeNumberOfText } from '../../contract/fields/whole-number.ts'
import { SELLER_DAYS_MAX } from '../../contract/seller-list.ts'

const DAY_MS = 86_400_000
export const DAYS_DEFAULT = '7'

/** How many days a range has. */
export const DAYS = wholeNumberOfText(1, SELLER_DAYS_MAX)

/** A range of whole days of UTC that ends today. */
export function rangeOf(
  { days = DAYS_DEFAULT }: Readonly<Record<string, string>>,
  nowMs: number,
): { days: string; start: string; end: string } {
  const dayOf = (ms: number) => new Date(ms).toISOString().slice(0, 10)
  return { days, start: dayOf(nowMs - (Number(days) - 1) * DAY_MS), end: dayOf(nowMs) }
}
