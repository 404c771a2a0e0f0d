import { z } from 'zod'
import { NextCursor, pageCursor, pageLimit } from './fields/page.ts'
import { ShopperId } from './fields/shopper-id.ts'
import { storableText } from './fields/text.ts'
import { handler, Nothing, sharedHandler } from './handler.ts'

export const ERASURE_STATUSES = ['pending', 'running', 'completed', 'failed'] as const
export type ErasureStatus = (typeof ERASURE_STATUSES)[number]

/** The parts of an erasure, in their order. */
export const ERASURE_STEPS = [
  'fence',
  'find',
  'profiles',
  'searches',
  'reports',
  'rejected',
  'context',
  'links',
  'certificate',
] as const
/** A run of the release before may be at a part that is not in the list. It begins again with the first one. */
const STORED_STEPS = [...ERASURE_STEPS, 'payments'] as const
export type ErasureStep = (typeof STORED_STEPS)[number]

export const StartErasure = z.strictObject({
  shopper_id: ShopperId.describe(
    'The person. A session that was merged stands for its account, and an account for all of its sessions.',
  ),
  actor: storableText(200).describe('The caller, for the audit log.'),
  requested_by: storableText(200).optional().describe('The name of the person who wants it: recorded, not verified.'),
})
export type StartErasure = z.infer<typeof StartErasure>

export const ErasureCertificate = z.object({
  erased_at: z.iso.datetime().describe('Everything up to this instant is erased.'),
  tables: z.record(z.string(), z.int()).describe('Rows per table that got another id or lost their personal columns.'),
  sha256: z
    .string()
    .describe('In hex, of the JSON text {"run_id":…,"erased_at":…,"tables":{…}} with the tables in the order of their names.'),
})
export type ErasureCertificate = z.infer<typeof ErasureCertificate>

/** It names no shopper, because it stays. */
export const ErasureRun = z.object({
  id: z.uuid(),
  status: z.enum(ERASURE_STATUSES),
  step: z.enum(STORED_STEPS).describe('What it does now, or did last.'),
  actor: z.string(),
  requested_by: z.string().nullable(),
  requested_at: z.iso.datetime(),
  started_at: z.iso.datetime().optional(),
  finished_at: z.iso.datetime().optional(),
  error_message: z.string().optional(),
  certificate: ErasureCertificate.optional().describe('Once it is completed.'),
})
export type ErasureRun = z.infer<typeof ErasureRun>

export const ErasuresRequest = z.strictObject({ limit: pageLimit(50, 'Runs of the page.'), cursor: pageCursor() })
export type ErasuresRequest = z.infer<typeof ErasuresRequest>

export const ErasuresResponse = z.object({ data: z.array(ErasureRun), meta: z.object({ next_cursor: NextCursor }) })
export type ErasuresResponse = z.infer<typeof ErasuresResponse>

export const erasureHandlers = {
  Start: handler({
    input: StartErasure,
    output: ErasureRun,
    isForOperators: true,
    description:
      'Erases a person, in a run that continues by itself. The key is the run id, a UUID in lower case. Answers the open run of the same shopper if there is one.',
  }),
  Execute: handler({ input: Nothing, description: 'Private. Sends the run to its lane.' }),
  Status: sharedHandler({
    input: Nothing,
    output: ErasureRun,
    description: 'The run with its outcome; 404 if it does not exist.',
  }),
}

export const LaneErasureRequest = z.strictObject({ run_id: z.uuid() })

export const erasureLaneHandlers = {
  Execute: handler({ input: LaneErasureRequest, description: 'Private. Does the work of a run, after those before it.' }),
}
