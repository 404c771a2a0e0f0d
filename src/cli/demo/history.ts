import { createHash } from 'node:crypto'
import { eventOf, type IdentifiedEvent } from './event.ts'
import { type Random, randomOf } from './random.ts'
import type { Shop } from './shop.ts'
import { visitOf } from './visit.ts'
import { HOUR_MS } from '../../contract/fields/time.ts'

const HOURS_PER_DAY = 24

/** Visits that start in each hour of a day (UTC): few at night, most in the evening. */
const RHYTHM = [0.4, 0.2, 0.1, 0.1, 0.1, 0.3, 0.8, 1.5, 2, 2.4, 2.6, 2.9, 3.2, 3, 2.7, 2.6, 3, 3.8, 4.8, 5.8, 6.2, 5, 3, 1.2]

/**
 * The events of the `days` before the hour of `nowMs`, oldest first. Because it ends with a whole hour, every call within that hour
 * gives the same events, and later calls give the same events for the hours in common.
 */
export function historyOf(shop: Shop, { days, nowMs }: { days: number; nowMs: number }): IdentifiedEvent[] {
  const endMs = Math.floor(nowMs / HOUR_MS) * HOUR_MS
  const hours = Array.from({ length: days * HOURS_PER_DAY }, (_, index) => endMs - (index + 1) * HOUR_MS)
  return hours
    .flatMap((hourMs) => hourOf(shop, hourMs))
    .filter(({ occurredAtMs }) => occurredAtMs < endMs)
    .sort((a, b) => a.occurredAtMs - b.occurredAtMs || (a.event.event_id < b.event.event_id ? -1 : 1))
    .map(({ event }) => event)
}

interface Occurrence {
  occurredAtMs: number
  event: IdentifiedEvent
}

/** The visits that start in one hour, with their steps of later days. Only the seed and the hour decide them. */
function hourOf(shop: Shop, hourMs: number): Occurrence[] {
  const random = randomOf(shop.seed, `hour ${hourMs}`)
  const visits = Array.from({ length: visitsIn(hourMs, random) }, () => ({
    visit: visitOf(shop, random),
    beginsMs: hourMs + random.below(HOUR_MS),
  }))
  const steps = visits.flatMap(({ visit: { shopper, steps }, beginsMs }) => steps.map((step) => ({ shopper, step, beginsMs })))
  return steps.map(({ shopper, step, beginsMs }, index) => {
    const occurredAtMs = beginsMs + step.afterMs
    const idBytes = createHash('sha256').update(`demo ${shop.seed} ${hourMs} ${index}`).digest()
    return { occurredAtMs, event: eventOf(shopper, step, occurredAtMs, idBytes) }
  })
}

function visitsIn(hourMs: number, random: Random): number {
  const expected = RHYTHM[(hourMs / HOUR_MS) % HOURS_PER_DAY]!
  return Math.floor(expected + random.share())
}
