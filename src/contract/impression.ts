import { z } from 'zod'
import { Instant } from './fields/instant.ts'
import { handler } from './handler.ts'
import { RecordedOrWaiting } from './interaction.ts'
import { BLENDS, type RecommendRequest, type RecommendResponse, STRATEGIES } from './recommendation.ts'

export const IMPRESSIONS_MAX = 4_000

/** One answer with recommendations, as it was given. */
export const Impression = z.strictObject({
  recommendation_id: z.uuid(),
  shown_at: Instant.describe('When the answer was made.'),
  shopper_id: z.string().nullable().describe('`account:…` or `session:…`; null for a history that the caller brought.'),
  strategy: z.enum(STRATEGIES),
  blend: z.enum(BLENDS),
  similarity_version: z.int().nullable().describe('null when there were no similarities.'),
  product_ids: z.array(z.string()).describe('In the order of the answer.'),
})
export type Impression = z.infer<typeof Impression>

/** The impression of an answer. */
export function impressionOf({ account_id, session_id }: RecommendRequest, { data, meta }: RecommendResponse): Impression {
  const { recommendation_id, generated_at: shown_at, strategy, blend, similarity_version } = meta
  const session = session_id === undefined ? null : `session:${session_id}`
  const shopper_id = account_id === undefined ? session : `account:${account_id}`
  return {
    ...{ recommendation_id, shown_at, shopper_id, strategy, blend, similarity_version },
    product_ids: data.map(({ product_id }) => product_id),
  }
}

export const RecordImpressionsRequest = z.strictObject({ impressions: z.array(Impression).min(1).max(IMPRESSIONS_MAX) })
export type RecordImpressionsRequest = z.infer<typeof RecordImpressionsRequest>

export const impressionHandlers = {
  RecordImpressions: handler({
    input: RecordImpressionsRequest,
    output: RecordedOrWaiting,
    description: 'For gateways. Records which recommendations were answered, each once.',
  }),
}
