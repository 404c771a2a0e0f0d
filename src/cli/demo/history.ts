import { createHash } from 'node:crypto'
import { DAY_MS, HOUR_MS } from '../../contract/fields/time.ts'
import { type Item, itemsOf } from './item.ts'
import { randomOf } from './random.ts'
import { rhythmOf, startOfHour } from './rhythm.ts'
import type { Shop } from './shop.ts'
import { visitOf } from './visit.ts'

export interface HistoryPlan {
  days: number
  nowMs: number
  /** Events per second, on the average of a day. */
  rate: number
  hasCallbacks: boolean
}

/** The average of ordinary visits. */
export const EVENTS_PER_VISIT = 5.5

/**
 * What happened in the `days` before `nowMs`, oldest first. The last 24 hours have the events of the live stream's rate, and the days before
 * them soon a tenth as many, because a shop that grows needs no million events. Every call gives the same events for the hours in common,
 * and a later call leaves some of those that became old out.
 */
export function historyOf(shop: Shop, plan: HistoryPlan): Item[] {
  const { days, nowMs } = plan
  const [firstHour, lastHour] = [startOfHour(nowMs - days * DAY_MS), startOfHour(nowMs)]
  const hours = Array.from(
    { length: days === 0 ? 0 : (lastHour - firstHour) / HOUR_MS + 1 },
    (_, index) => firstHour + index * HOUR_MS,
  )
  return hours
    .flatMap((hourMs) => hourOf(shop, hourMs, plan))
    .filter(({ occurredAtMs }) => occurredAtMs < nowMs)
    .sort((a, b) => a.occurredAtMs - b.occurredAtMs || (a.key < b.key ? -1 : 1))
    .map(({ item }) => item)
}

interface Occurrence {
  occurredAtMs: number
  key: string
  item: Item
}

/** The visits that start in one hour, with their steps of later days. The seed and the hour decide them; the age only how many there are. */
function hourOf(shop: Shop, hourMs: number, { nowMs, rate, hasCallbacks }: HistoryPlan): Occurrence[] {
  const random = randomOf(shop.seed, `hour ${hourMs}`)
  const expected = ((rate * HOUR_MS) / 1_000 / EVENTS_PER_VISIT) * rhythmOf(hourMs) * shareOf(nowMs - hourMs)
  const visits = Array.from({ length: Math.ceil(expected) }, () => ({
    visit: visitOf(shop, random),
    beginsMs: hourMs + random.below(HOUR_MS),
  }))
  return visits.flatMap(({ visit: { shopper, steps }, beginsMs }, visitNumber) =>
    steps.flatMap((step, stepNumber) => {
      const occurredAtMs = beginsMs + step.afterMs
      const name = `demo ${shop.seed} ${hourMs} ${visitNumber} ${stepNumber}`
      const idBytesOf = (number: number) => createHash('sha256').update(`${name} ${number}`).digest()
      const items = itemsOf(step, { shopper, occurredAtMs, idBytesOf, hasCallbacks })
      return items.map((item, number) => ({ occurredAtMs, key: `${name} ${number}`, item }))
    }),
  )
}

/** What days have that are long ago: enough for a comparison with the week before, and few enough to be sent quickly. */
const SHARE_MIN = 0.1
/** In days. */
const HALF_LIFE = 1 / 3

/** The share of an hour's visits that is kept at an age: all of a day, then less and less, down to a tenth. */
function shareOf(ageMs: number): number {
  return Math.max(SHARE_MIN, 0.5 ** (Math.max(0, ageMs / DAY_MS - 1) / HALF_LIFE))
}
