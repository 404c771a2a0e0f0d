import type { AnalyticsEvent } from '../../../src/contract/analytics-event.ts'
import { instantOf } from '../../../src/contract/fields/time.ts'
import { mulberry32 } from '../../../src/cli/demo/random.ts'

const SOURCES = ['erp', 'crm', 'warehouse']
const ENTITIES = 240
const FAILED_SHARE = 0.05

/** Makes events of now: three sources in turn, 240 entities, an amount in half of them, and no payload. */
export function analyticsTraffic(name: string, seed = 1): () => AnalyticsEvent {
  const random = mulberry32(seed)
  let number = 0
  return () => {
    number++
    return {
      source: SOURCES[number % SOURCES.length]!,
      external_ref: `${name}-${number}`,
      entity_id: `entity-${Math.floor(random() * ENTITIES)}`,
      status: random() < FAILED_SHARE ? 'failed' : 'success',
      processing_ms: Math.floor(random() * 2_000),
      ...(number % 2 === 0 && { amount: Math.floor(random() * 100_000), currency: 'EUR' }),
      occurred_at: instantOf(Date.now()),
    }
  }
}
