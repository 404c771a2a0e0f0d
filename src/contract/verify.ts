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

export const VerifyResponse = z.object({
  drift: z.array(Drift).describe('Empty when every aggregate equals the replayed log; at most 1,000 cells are listed.'),
  events: z.int().describe('Interactions and searches in the log, from the horizon on.'),
  analytics_events: z.int().describe('Analytics events in the log, from the horizon on.'),
  horizon: z.iso.datetime().describe('Events before this instant are rejected.'),
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
