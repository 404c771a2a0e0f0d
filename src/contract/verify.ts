import { z } from 'zod'
import { handler, Nothing } from './handler.ts'

export const Drift = z.object({
  aggregate: z.string().describe('The table.'),
  key: z.record(z.string(), z.string()).describe('The row.'),
  column: z.string().describe('The cell; * when the whole row is missing or should not exist.'),
  stored: z.string().nullable(),
  expected: z.string().nullable(),
})
export type Drift = z.infer<typeof Drift>

export const SimilarityProof = z.object({
  version: z.int().describe('The version in force.'),
  products: z.int().describe('Its products.'),
  rows: z.int().describe('How many of their rows were computed again from the log and compared.'),
  skipped: z.string().optional().describe('Why none was: the log does not have any more what the version was made from.'),
})
export type SimilarityProof = z.infer<typeof SimilarityProof>

export const VerifyResponse = z.object({
  drift: z
    .array(Drift)
    .describe('Empty when every aggregate equals the replayed log; at most 1,000 cells are listed, and 100 of a run.'),
  drift_count: z
    .int()
    .describe('How many cells differ; of payments at least so many, because after 1,000 no further ones are settled.'),
  cells: z.int().describe('How many cells were compared.'),
  events: z.int().describe('Interactions and searches in the log, from the horizon on.'),
  analytics_events: z.int().describe('Analytics events in the log, from the horizon on.'),
  horizon: z.iso.datetime().describe('Events before this instant are rejected.'),
  restored_months: z
    .int()
    .optional()
    .describe('Months of interactions and of searches that were restored from the archive, and replayed too.'),
  similarity: SimilarityProof.optional().describe('Of similar products, once there is a version.'),
})
export type VerifyResponse = z.infer<typeof VerifyResponse>

export const verifyHandlers = {
  Verify: handler({
    input: Nothing,
    output: VerifyResponse,
    isForOperators: true,
    description: 'Replays the log, compares it with every aggregate, and lists the cells that differ.',
  }),
}
