import { z } from 'zod'
import { handler, Nothing, sharedHandler } from './handler.ts'
import { pageLimit, PageOffset } from './fields/page.ts'
import { ReportDay, WINDOWS } from './report.ts'
import { storableText } from './fields/text.ts'

export const RUN_STATUSES = ['pending', 'running', 'completed', 'failed', 'cancelled'] as const
export type RunStatus = (typeof RUN_STATUSES)[number]
export const RUN_KINDS = ['requested', 'refresh', 'scheduled'] as const
export type RunKind = (typeof RUN_KINDS)[number]

const scope = {
  report_slug: storableText(200).describe('The report.'),
  window: z.enum(WINDOWS),
  date_from: ReportDay.describe('The first day, in UTC. The range is widened to whole buckets.'),
  date_to: ReportDay.describe('The last day, which is included.'),
}

export const RequestRun = z.strictObject({
  ...scope,
  requested_by: storableText(200).optional().describe('The name of the person who wants it: recorded, not verified.'),
})
export type RequestRun = z.infer<typeof RequestRun>

export const StartRun = z.strictObject({
  ...scope,
  actor: storableText(200).describe('The caller, for the audit log.'),
  requested_by: storableText(200).optional(),
})
export type StartRun = z.infer<typeof StartRun>

export const RecomputeRun = z.object({
  id: z.uuid(),
  kind: z.enum(RUN_KINDS),
  report_slug: z.string(),
  window: z.enum(WINDOWS),
  date_from: z.iso.date(),
  date_to: z.iso.date(),
  requested_by: z.string().nullable(),
  actor: z.string(),
  status: z.enum(RUN_STATUSES),
  progress: z.object({ done: z.int(), total: z.int() }).describe('In buckets.'),
  requested_at: z.iso.datetime(),
  started_at: z.iso.datetime().optional(),
  finished_at: z.iso.datetime().optional(),
  error_message: z.string().optional(),
  summary: z
    .object({ rows_deleted: z.int(), rows_inserted: z.int(), bucket_count: z.int() })
    .optional()
    .describe('Of the rebuilt buckets, once the run has ended.'),
})
export type RecomputeRun = z.infer<typeof RecomputeRun>

export const RunsRequest = z.strictObject({
  status: z.enum(RUN_STATUSES).optional().describe('Only runs with this status.'),
  kind: z.enum(RUN_KINDS).optional().describe('Only runs of this kind, e.g. `requested`: started by a caller, not by Footfall.'),
  limit: pageLimit(50, 'Runs of the page.'),
  offset: PageOffset,
})
export type RunsRequest = z.infer<typeof RunsRequest>

export const CancelRun = z.strictObject({
  actor: storableText(200).describe('The caller, for the audit log.'),
  requested_by: storableText(200).optional().describe('The name of the person who wants it: recorded, not verified.'),
})
export type CancelRun = z.infer<typeof CancelRun>

/** The days of whole buckets. */
export const RebuildRequest = z.strictObject({ run_id: z.uuid(), from: ReportDay, to: ReportDay })
export type RebuildRequest = z.infer<typeof RebuildRequest>
export const RebuildResponse = z.object({
  done: z.int().nullable().describe('Buckets of the run that are done; null if the run has ended.'),
  took_ms: z.number(),
})
export type RebuildResponse = z.infer<typeof RebuildResponse>

export const recomputeRunHandlers = {
  Start: handler({
    input: StartRun,
    output: RecomputeRun,
    isForOperators: true,
    description:
      'Requests a recomputation of buckets. The key is the run id, a UUID in lower case; 409 if a run of the same buckets is open.',
  }),
  Execute: handler({ input: Nothing, description: 'Private. Does the work.' }),
  Abandon: handler({
    input: Nothing,
    description: 'Private. Fails a run that is still open. The call waits for the key, which a working run holds.',
  }),
  Status: sharedHandler({
    input: Nothing,
    output: RecomputeRun,
    description: 'The run with its progress and outcome; 404 if it does not exist.',
  }),
  Cancel: sharedHandler({
    input: CancelRun,
    output: RecomputeRun,
    isForOperators: true,
    description: 'Ends the run before its next step and keeps what it rebuilt; 409 if it has ended.',
  }),
}

export const reportWindowHandlers = {
  Rebuild: handler({
    input: RebuildRequest,
    output: RebuildResponse,
    description:
      'Private. Rebuilds buckets. The key is a report and window, e.g. volume-by-period/day; its calls run one by one.',
  }),
}
