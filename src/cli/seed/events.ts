import type { AnalyticsEvent } from '../../contract/analytics-event.ts'
import { DAY_MS, instantOf } from '../../contract/fields/time.ts'
import { operationOf } from '../demo/operation.ts'
import { type Random, randomOf, rankOf, zipf } from '../demo/random.ts'

export const SEED_EVENTS = 25_000
export const SEED_DAYS = 90
export const SEED_ENTITIES = 240

/** How busy each hour of the day is, and each day of the week from Monday. */
const HOURS = [1, 1, 1, 1, 1, 1, 2, 4, 6, 8, 9, 9, 8, 8, 9, 9, 9, 10, 11, 12, 12, 9, 5, 2]
const WEEKDAYS = [9, 9, 9, 10, 12, 14, 11]

/** Events of the 90 days before the end, in the order of their numbers. The same seed and end give the same events. */
export function seedEvents(seed: number, endMs: number): AnalyticsEvent[] {
  const random = randomOf(seed, 'analytics events')
  const entities = zipf(SEED_ENTITIES, 0.8)
  const entityId = () => `customer-${String(1 + rankOf(entities, random.share())).padStart(3, '0')}`
  return Array.from({ length: SEED_EVENTS }, (_, number) => ({
    ...operationOf(random, entityId),
    // Another end gives other events.
    external_ref: `seed-${seed}-${instantOf(endMs).slice(0, 10)}-${number}`,
    occurred_at: instantOf(timeOf(random, endMs)),
  }))
}

/** More in the evening and before the weekend than at night. */
function timeOf(random: Random, endMs: number): number {
  for (;;) {
    const atMs = endMs - Math.ceil(random.share() * SEED_DAYS * DAY_MS)
    const date = new Date(atMs)
    const weight = HOURS[date.getUTCHours()]! * WEEKDAYS[(date.getUTCDay() + 6) % 7]!
    if (random.chance(weight / (Math.max(...HOURS) * Math.max(...WEEKDAYS)))) return atMs
  }
}

/** The start of the UTC day of an instant. */
export function startOfDay(ms: number): number {
  return Math.floor(ms / DAY_MS) * DAY_MS
}
