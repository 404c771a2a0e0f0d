import { HOUR_MS } from '../../../src/contract/fields/time.ts'
import type { NewInteraction } from '../../../src/admission/interaction.ts'

interface ReferenceRules {
  weights: Readonly<Record<string, number>>
  halfLifeHours: number
  /** The first instant of the trending window. */
  edgeMs: number
  /** The instant of the answer. */
  asOfMs: number
}

export interface ExpectedType {
  count: number
  scoreMicros: number
  trendingCount: number
  trending: number
  /** What floats that are added in another order may differ by is relative to it. */
  spread: number
}

/** What each type adds to the scores of a product: the slow reference, from the events alone. */
export function expectedTypes(events: readonly NewInteraction[], productId: string, rules: ReferenceRules) {
  const types = new Map<string, ExpectedType>()
  for (const { refType, refId, eventType, occurredAtMs } of events) {
    if (refType !== 'Product' || refId !== productId) continue
    const type = types.get(eventType) ?? { count: 0, scoreMicros: 0, trendingCount: 0, trending: 0, spread: 0 }
    const weight = rules.weights[eventType] ?? 0
    const isInWindow = Math.floor(occurredAtMs / HOUR_MS) * HOUR_MS >= rules.edgeMs
    const decayed = isInWindow ? weight * 0.5 ** ((rules.asOfMs - occurredAtMs) / HOUR_MS / rules.halfLifeHours) : 0
    types.set(eventType, {
      count: type.count + 1,
      scoreMicros: type.scoreMicros + Math.round(weight * 1e6),
      trendingCount: type.trendingCount + (isInWindow ? 1 : 0),
      trending: type.trending + decayed,
      spread: type.spread + Math.abs(decayed),
    })
  }
  return types
}
