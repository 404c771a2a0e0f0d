import { z } from 'zod'
import { NextCursor, pageCursor, pageLimit } from './fields/page.ts'
import { storableText } from './fields/text.ts'
import { handler, Nothing, sharedHandler } from './handler.ts'
import { RUN_STATUSES } from './recompute-run.ts'
import { Correction } from './rejected.ts'

const scope = {
  code: storableText(100)
    .refine((code) => code !== 'ignored', 'is for webhooks: ./footfall rejected replay --ignored maps them by their adapters')
    .describe('The code of the rejected events, e.g. `invalid`.'),
  set: Correction.optional().describe('Corrects each event before it is replayed: field → value, or null to remove the field.'),
}
const requestedBy = storableText(200).optional().describe('The name of the person who wants it: recorded, not verified.')
const actor = storableText(200).describe('The caller, for the audit log.')

export const RequestReplayRun = z.strictObject({ ...scope, requested_by: requestedBy })
export type RequestReplayRun = z.infer<typeof RequestReplayRun>

export const StartReplayRun = z.strictObject({ ...scope, actor, requested_by: requestedBy })
export type StartReplayRun = z.infer<typeof StartReplayRun>

export const CancelReplayRun = z.strictObject({ actor, requested_by: requestedBy })
export type CancelReplayRun = z.infer<typeof CancelReplayRun>

export const ReplayRun = z.object({
  id: z.uuid(),
  code: z.string(),
  set: z
    .record(z.string(), z.unknown())
    .optional()
    .describe('What is corrected. It is forgotten when the run has ended, because it may name a person.'),
  requested_by: z.string().nullable(),
  actor: z.string(),
  status: z.enum(RUN_STATUSES),
  progress: z
    .object({ done: z.int(), total: z.int() })
    .describe('Events that it has replayed or skipped, of those that there were when it began. The total is 0 before that.'),
  accepted: z.int().describe('Events that were recorded.'),
  duplicates: z.int().describe('Events that were recorded before.'),
  rejected: z.int().describe('Events that were rejected again. They are new lines of the list.'),
  skipped: z.int().describe('Events that were deleted, or replayed by another call, in the meantime.'),
  requested_at: z.iso.datetime(),
  started_at: z.iso.datetime().optional(),
  finished_at: z.iso.datetime().optional(),
  error_message: z.string().optional(),
})
export type ReplayRun = z.infer<typeof ReplayRun>

export const ReplayRunsRequest = z.strictObject({
  status: z.enum(RUN_STATUSES).optional().describe('Only runs with this status.'),
  limit: pageLimit(20, 'Runs of the page.'),
  cursor: pageCursor('meta.next_cursor of the previous page; the status must stay the same.'),
})
export type ReplayRunsRequest = z.infer<typeof ReplayRunsRequest>

export const ReplayRunsResponse = z.object({ data: z.array(ReplayRun), meta: z.object({ next_cursor: NextCursor }) })
export type ReplayRunsResponse = z.infer<typeof ReplayRunsResponse>

export const replayRunHandlers = {
  Start: handler({
    input: StartReplayRun,
    output: ReplayRun,
    isForOperators: true,
    description:
      'Replays every rejected event of a code that can be replayed. The key is the run id, a UUID in lower case; 409 if a run of this code is open.',
  }),
  Execute: handler({ input: Nothing, description: 'Private. Does a part of the work, and sends itself the next part.' }),
  Abandon: handler({
    input: Nothing,
    description: 'Private. Fails a run that is still open. The call waits for the key, which a working run holds.',
  }),
  Status: sharedHandler({
    input: Nothing,
    output: ReplayRun,
    description: 'The run with its progress and outcome; 404 if it does not exist.',
  }),
  Cancel: sharedHandler({
    input: CancelReplayRun,
    output: ReplayRun,
    isForOperators: true,
    description: 'Ends the run before its next page; events that were replayed stay replayed. 409 if it has ended.',
  }),
}
