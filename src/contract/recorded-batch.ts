import { z } from 'zod'

/** A recorded batch: its id, and the first and last instant of its events, by which PostgreSQL skips partitions. */
export const RecordedBatch = z.strictObject({
  batch_id: z.string().regex(/^\d+$/),
  from: z.iso.datetime(),
  to: z.iso.datetime(),
})
export type RecordedBatch = z.infer<typeof RecordedBatch>
