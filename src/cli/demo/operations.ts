import type { AnalyticsEvent } from '../../contract/analytics-event.ts'
import { DAY_MS, HOUR_MS, instantOf } from '../../contract/fields/time.ts'
import { operationOf } from './operation.ts'
import { randomOf } from './random.ts'
import { rhythmOf, startOfHour } from './rhythm.ts'

const OPERATIONS_PER_HOUR = 25
const ORDERS = 400

/** What systems around the shop report of the `days` before an instant. The seed and the hour decide it. */
export function operationsOf(seed: number, { days, nowMs }: { days: number; nowMs: number }): AnalyticsEvent[] {
  const lastHour = startOfHour(nowMs)
  const hours = Array.from({ length: (days * DAY_MS) / HOUR_MS }, (_, index) => lastHour - (index + 1) * HOUR_MS)
  return hours.flatMap((hourMs) => {
    const random = randomOf(seed, `operations ${hourMs}`)
    return Array.from({ length: Math.ceil(OPERATIONS_PER_HOUR * rhythmOf(hourMs)) }, (_, number) => ({
      ...operationOf(random, () => `order-${1 + random.below(ORDERS)}`),
      external_ref: `demo-${seed}-${hourMs / HOUR_MS}-${number}`,
      occurred_at: instantOf(hourMs + random.below(HOUR_MS)),
    }))
  })
}
