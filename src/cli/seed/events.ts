import type { AnalyticsEvent } from '../../contract/analytics-event.ts'
import { DAY_MS, instantOf } from '../../contract/fields/time.ts'
import { type Random, randomOf, rankOf, zipf } from '../demo/random.ts'

export const SEED_EVENTS = 25_000
export const SEED_DAYS = 90
export const SEED_ENTITIES = 240

interface Source {
  slug: string
  /** Share of all events. */
  share: number
  failed: number
  pending: number
  /** The median, in milliseconds, of a log-normal distribution. */
  processingMs: number
  spread: number
  /** The median amount of an operation, in minor units; 0 for no amounts. */
  amount: number
}

/** The systems of a shop. */
const SOURCES: readonly Source[] = [
  { slug: 'checkout', share: 0.55, failed: 0.05, pending: 0.02, processingMs: 380, spread: 0.6, amount: 4_900 },
  { slug: 'warehouse', share: 0.3, failed: 0.02, pending: 0.08, processingMs: 2_400, spread: 0.9, amount: 0 },
  { slug: 'support', share: 0.15, failed: 0.01, pending: 0.15, processingMs: 60_000, spread: 1.1, amount: 0 },
]
const CURRENCIES = ['EUR', 'EUR', 'EUR', 'EUR', 'USD', 'JPY'] as const
/** Amounts in yen have no minor units. */
const YEN = 1.6

/** How busy each hour of the day is, and each day of the week from Monday. */
const HOURS = [1, 1, 1, 1, 1, 1, 2, 4, 6, 8, 9, 9, 8, 8, 9, 9, 9, 10, 11, 12, 12, 9, 5, 2]
const WEEKDAYS = [9, 9, 9, 10, 12, 14, 11]

/** Events of the 90 days before the end, in the order of their numbers. The same seed and end give the same events. */
export function seedEvents(seed: number, endMs: number): AnalyticsEvent[] {
  const random = randomOf(seed, 'analytics events')
  const entities = zipf(SEED_ENTITIES, 0.8)
  return Array.from({ length: SEED_EVENTS }, (_, number) => {
    const source = sourceOf(random)
    return {
      source: source.slug,
      // Another end gives other events.
      external_ref: `seed-${seed}-${instantOf(endMs).slice(0, 10)}-${number}`,
      entity_id: `customer-${String(1 + rankOf(entities, random.share())).padStart(3, '0')}`,
      status: statusOf(source, random),
      processing_ms: Math.round(logNormal(random, source.processingMs, source.spread)),
      ...(source.amount > 0 && amountOf(source, random)),
      occurred_at: instantOf(timeOf(random, endMs)),
    }
  })
}

function sourceOf(random: Random): Source {
  let share = random.share()
  return SOURCES.find((source) => (share -= source.share) < 0) ?? SOURCES[0]!
}

function statusOf({ failed, pending }: Source, random: Random): AnalyticsEvent['status'] {
  const share = random.share()
  return share < failed ? 'failed' : share < failed + pending ? 'pending' : 'success'
}

function amountOf({ amount }: Source, random: Random): Pick<AnalyticsEvent, 'amount' | 'currency'> {
  const currency = random.pick(CURRENCIES)
  const minor = logNormal(random, amount, 0.8)
  return { amount: Math.round(currency === 'JPY' ? minor * YEN : minor), currency }
}

/** A log-normal number, by the Box–Muller transform. */
function logNormal(random: Random, median: number, spread: number): number {
  const normal = Math.sqrt(-2 * Math.log(1 - random.share())) * Math.cos(2 * Math.PI * random.share())
  return median * Math.exp(spread * normal)
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
