import type { AnalyticsEvent } from '../../contract/analytics-event.ts'
import type { Random } from './random.ts'

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

/** An operation of a random system, about an entity. */
export function operationOf(random: Random, entityId: () => string): Omit<AnalyticsEvent, 'external_ref' | 'occurred_at'> {
  const source = sourceOf(random)
  return {
    source: source.slug,
    entity_id: entityId(),
    status: statusOf(source, random),
    processing_ms: Math.round(logNormal(random, source.processingMs, source.spread)),
    ...(source.amount > 0 && amountOf(source, random)),
  }
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
