import { RANGES } from '../../page/views/sellers.ts'

const DAY_MS = 86_400_000
const DAYS_DEFAULT = '7'

/** A range of whole days of UTC that ends today. */
export function rangeOf(query: Readonly<Record<string, string>>, nowMs: number): { days: string; start: string; end: string } {
  const days = daysOf(query)
  const dayOf = (ms: number) => new Date(ms).toISOString().slice(0, 10)
  return { days, start: dayOf(nowMs - (Number(days) - 1) * DAY_MS), end: dayOf(nowMs) }
}

/** How many days a range has; as many as usual for every other word. */
export function daysOf(query: Readonly<Record<string, string>>): string {
  return RANGES.find(([value]) => value === query['days'])?.[0] ?? DAYS_DEFAULT
}
