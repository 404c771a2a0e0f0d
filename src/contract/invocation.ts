import { z } from 'zod'

/** How many invocations an answer lists. */
export const STUCK_INVOCATIONS_MAX = 100

export const STUCK_STATES = ['paused', 'retrying'] as const

export const StuckInvocation = z.object({
  id: z.string().describe("Restate's id of the invocation."),
  state: z
    .enum(STUCK_STATES)
    .describe('`paused`: its attempts are used up, and an operator resumes it. `retrying`: it is tried again.'),
  target: z.string().describe('What it calls, e.g. `Task/refresh-reports/Run`.'),
  attempts: z.int().nullable().describe('How often it was tried.'),
  since: z.iso.datetime().nullable().describe('When its state last changed.'),
  error: z.string().nullable().describe('Why its last attempt failed, in the first 500 characters.'),
})
export type StuckInvocation = z.infer<typeof StuckInvocation>

export const StuckInvocationsResponse = z
  .object({
    data: z.array(StuckInvocation).describe('Paused ones first, then the newest.'),
    meta: z.object({
      paused: z.int().describe('All paused invocations.'),
      retrying: z.int().describe('All invocations that failed and are tried again.'),
    }),
  })
  .meta({
    examples: [
      {
        data: [
          {
            id: 'inv_1dGTWTGzGbpU5pwRmQXPCHNGHFbrQEJXtM',
            state: 'paused',
            target: 'Task/refresh-reports/Run',
            attempts: 40,
            since: '2026-03-01T12:00:00.000Z',
            error: 'the disk is full',
          },
        ],
        meta: { paused: 1, retrying: 0 },
      },
    ],
  })
export type StuckInvocationsResponse = z.infer<typeof StuckInvocationsResponse>
