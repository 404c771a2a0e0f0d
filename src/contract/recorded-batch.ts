import { z } from 'zod'

/** A recorded batch. A message of the release before names no call. */
export const RecordedBatch = z.strictObject({
  batch_id: z.string().regex(/^\d+$/),
  from: z.iso.datetime().describe('The first instant of its events. Not believed: the batch itself has it.'),
  to: z.iso.datetime().describe('The last instant of its events. Not believed either.'),
  call: z
    .string()
    .regex(/^[0-9a-f]{32}$/)
    .optional()
    .describe('The call that recorded it. A batch with this id and of another call is another batch.'),
})
export type RecordedBatch = z.infer<typeof RecordedBatch>
