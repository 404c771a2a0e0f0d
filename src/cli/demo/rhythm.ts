import { DAY_MS, HOUR_MS } from '../../contract/fields/time.ts'

/** How busy each hour of a day is (UTC): few visits at night, most in the evening. */
const RHYTHM = [
  0.5, 0.35, 0.25, 0.2, 0.25, 0.35, 0.6, 0.8, 0.95, 1.05, 1.1, 1.15, 1.2, 1.15, 1.1, 1.1, 1.15, 1.3, 1.5, 1.7, 1.75, 1.5, 1.2,
  0.9,
]
const MEAN = RHYTHM.reduce((sum, share) => sum + share, 0) / RHYTHM.length

/** How busy an hour is, by its start: 1 is the average of a day. */
export function rhythmOf(hourMs: number): number {
  return RHYTHM[Math.floor((hourMs % DAY_MS) / HOUR_MS)]! / MEAN
}

/** The hour of an instant. */
export function startOfHour(ms: number): number {
  return Math.floor(ms / HOUR_MS) * HOUR_MS
}
