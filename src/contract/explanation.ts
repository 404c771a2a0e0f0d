import { z } from 'zod'
import { handler } from './handler.ts'
import { GetPopularityRequest } from './popularity.ts'

/** What the events of one type come to. */
export const ExplainedType = z.object({
  event_type: z.string(),
  count: z.int().describe('All counted events of the type.'),
  weight: z
    .number()
    .nullable()
    .describe('What each adds to the score, by the weights in force; null for a type without a weight, which adds nothing.'),
  score: z.number().describe('count · weight: its part of the score, in whole millionths.'),
  trending_count: z.int().describe('Those of its events that are inside the trending window.'),
  trending_score: z.number().describe('Its part of the trending score, in whole billionths.'),
})
export type ExplainedType = z.infer<typeof ExplainedType>

export const Explanation = z.object({
  product_id: z.string(),
  score: z.number().describe('The sum of `score` over the types, exactly.'),
  trending_score: z
    .number()
    .describe(
      'The sum of `trending_score` over the types, exactly, as of `as_of`. From two million on it has fewer than nine decimals, as have its parts.',
    ),
  as_of: z.iso.datetime().describe('The instant of this answer. Later the trending score is lower, by half in each half-life.'),
  weights_version: z.int().describe('The version of the weights in force.'),
  half_life_hours: z.number(),
  trending_from: z.iso.datetime().describe('The first hour of the trending window.'),
  event_types: z
    .array(ExplainedType)
    .describe(
      'The types of the product, the greatest part of the score first; of those without a weight the 1,000 most frequent.',
    ),
})
export type Explanation = z.infer<typeof Explanation>

export const ExplanationResponse = z.object({ data: Explanation }).meta({
  examples: [
    {
      data: {
        product_id: 'lamp',
        score: 1.4,
        trending_score: 1.38512046,
        as_of: '2026-03-01T13:00:00.000Z',
        weights_version: 1,
        half_life_hours: 72,
        trending_from: '2026-02-22T12:00:00.000Z',
        event_types: [
          { event_type: 'purchase', count: 1, weight: 0.8, score: 0.8, trending_count: 1, trending_score: 0.792335333 },
          { event_type: 'view', count: 2, weight: 0.3, score: 0.6, trending_count: 2, trending_score: 0.592785127 },
          { event_type: 'quick_view', count: 5, weight: null, score: 0, trending_count: 5, trending_score: 0 },
        ],
      },
    },
  ],
})
export type ExplanationResponse = z.infer<typeof ExplanationResponse>

export const explanationHandlers = {
  Explain: handler({
    input: GetPopularityRequest,
    output: Explanation,
    description: 'What each event type adds to the scores of a product; 404 if no event of it was counted.',
  }),
}
