import { z } from 'zod'

/** A rule that changed a score, or the place of a product. */
export const AppliedRule = z.object({
  rule: z.string(),
  factor: z.number().describe('What the score was multiplied by; 1 for a rule that changes the place alone.'),
  detail: z.string().optional().describe('What the rule found, for people.'),
})
export type AppliedRule = z.infer<typeof AppliedRule>

/** Parts of a score are whole billionths, because fractions of 2 do not add up exactly in decimals. */
export const Share = z.int().describe('Its part of the score, in billionths.')

export const SimilarityVersion = z
  .int()
  .nullable()
  .describe('The version of the similarities that the whole answer was made with; null while there is none.')

export const IsPartial = z
  .boolean()
  .describe('Whether PostgreSQL or the Redis of SHOPPER_STORE did not answer in time, so that events or facts may be missing.')
