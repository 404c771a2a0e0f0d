import { z } from 'zod'

/** The rules that scores are made by. */
export const WeightsInForce = z.object({
  version: z.int().describe('Each change of the rules has the next version.'),
  name: z.string().describe('The name of the weights, e.g. balanced.'),
  half_life_hours: z.number().describe('In each half-life an event loses half of what it adds to the trending score.'),
  trending_hours: z.int().describe('How many hours the trending window has.'),
  changed_at: z.iso.datetime().describe('Since when this version is in force.'),
  weights: z.array(z.object({ event_type: z.string(), weight: z.number() })).describe('The greatest weight first.'),
})
export type WeightsInForce = z.infer<typeof WeightsInForce>

export const WeightsResponse = z.object({ data: WeightsInForce }).meta({
  examples: [
    {
      data: {
        version: 1,
        name: 'balanced',
        half_life_hours: 72,
        trending_hours: 168,
        changed_at: '2026-03-01T12:00:00.000Z',
        weights: [
          { event_type: 'purchase', weight: 0.8 },
          { event_type: 'view', weight: 0.3 },
          { event_type: 'report_product', weight: -1.2 },
        ],
      },
    },
  ],
})
export type WeightsResponse = z.infer<typeof WeightsResponse>
