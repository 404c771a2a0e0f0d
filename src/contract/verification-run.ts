import { z } from 'zod'
import { NextCursor, pageCursor, pageLimit } from './fields/page.ts'
import { storableText } from './fields/text.ts'
import { handler, Nothing, sharedHandler } from './handler.ts'
import { RUN_STATUSES } from './recompute-run.ts'
import { VerifyResponse } from './verify.ts'

const requestedBy = storableText(200).optional().describe('The name of the person who wants it: recorded, not verified.')
const actor = storableText(200).describe('The caller, for the audit log.')

export const RequestVerification = z.strictObject({ requested_by: requestedBy })
export type RequestVerification = z.infer<typeof RequestVerification>

export const StartVerification = z.strictObject({ actor, requested_by: requestedBy })
export type StartVerification = z.infer<typeof StartVerification>

export const CancelVerification = z.strictObject({ actor, requested_by: requestedBy })
export type CancelVerification = z.infer<typeof CancelVerification>

export const VerificationRun = z.object({
  id: z.uuid(),
  requested_by: z.string().nullable(),
  actor: z.string(),
  status: z.enum(RUN_STATUSES),
  progress: z
    .object({ done: z.int(), total: z.int(), step: z.string().optional().describe('What it compares, while it runs.') })
    .describe('Parts of the proof: mostly one for each table. The total is 0 until it begins.'),
  requested_at: z.iso.datetime(),
  started_at: z.iso.datetime().optional(),
  finished_at: z.iso.datetime().optional(),
  error_message: z.string().optional(),
  result: VerifyResponse.optional().describe('What it found, once it has completed; ids of shoppers are left out.'),
})
export type VerificationRun = z.infer<typeof VerificationRun>

export const VerificationsRequest = z.strictObject({
  status: z.enum(RUN_STATUSES).optional().describe('Only runs with this status.'),
  limit: pageLimit(50, 'Runs of the page.'),
  cursor: pageCursor(),
})
export type VerificationsRequest = z.infer<typeof VerificationsRequest>

export const VerificationsResponse = z.object({
  data: z.array(VerificationRun),
  meta: z.object({ next_cursor: NextCursor }),
})
export type VerificationsResponse = z.infer<typeof VerificationsResponse>

export const LatestVerification = z.object({
  id: z.uuid(),
  finished_at: z.iso.datetime(),
  events: z.int().describe('Interactions and searches in the log, from the horizon on.'),
  analytics_events: z.int().describe('Analytics events in the log, from the horizon on.'),
  cells: z.int().describe('How many cells were compared.'),
  drift_count: z.int().describe('How many of them differ.'),
})
export type LatestVerification = z.infer<typeof LatestVerification>

export const verificationRunHandlers = {
  Start: handler({
    input: StartVerification,
    output: VerificationRun,
    isForOperators: true,
    description: 'Requests a verification. The key is the run id, a UUID in lower case; 409 if a run is open.',
  }),
  Execute: handler({ input: Nothing, description: 'Private. Does the work.' }),
  Abandon: handler({
    input: Nothing,
    description: 'Private. Fails a run that is still open. The call waits for the key, which a working run holds.',
  }),
  Status: sharedHandler({
    input: Nothing,
    output: VerificationRun,
    description: 'The run with its progress and outcome; 404 if it does not exist.',
  }),
  Cancel: sharedHandler({
    input: CancelVerification,
    output: VerificationRun,
    isForOperators: true,
    description: 'Ends the run within a second or so. 409 if it has completed or failed.',
  }),
}
