import { z } from 'zod'

const seconds = () => z.number().nullable()

const Waiting = z.object({
  batches: z.int().describe('Recorded batches that wait.'),
  events: z.int().describe('Their events.'),
  oldest_seconds: seconds().describe('Age of the oldest of them; null when none waits.'),
})

/** How much is recorded and not yet counted or fed. */
export const BacklogResponse = z
  .object({
    data: z.object({
      waiting_batches: z.int().describe('Batches that wait to be counted, to be fed, or both.'),
      waiting_events: z.int().describe('Their events.'),
      oldest_seconds: seconds().describe('Age of the oldest of them; null when none waits.'),
      counting: Waiting.describe('Batches that are not counted into popularity yet.'),
      feeding: Waiting.describe('Batches that are not fed to the shopper profiles yet.'),
    }),
  })
  .meta({
    examples: [
      {
        data: {
          waiting_batches: 2,
          waiting_events: 41,
          oldest_seconds: 0.21,
          counting: { batches: 1, events: 20, oldest_seconds: 0.08 },
          feeding: { batches: 2, events: 41, oldest_seconds: 0.21 },
        },
      },
    ],
  })
export type BacklogResponse = z.infer<typeof BacklogResponse>
