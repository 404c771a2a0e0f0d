import { z } from 'zod'
import { ReportDay, OFFSET_MAX, WINDOWS } from './report.ts'
import { storableText } from './text.ts'
import { wholeNumber } from './whole-number.ts'

export const RUN_STATUSES = ['pending', 'running', 'completed', 'failed', 'cancelled'] as const
export type RunStatus = (typeof RUN_STATUSES)[number]
export const RUN_KINDS = ['requested', 'refresh', 'scheduled'] as const
export type RunKind = (typeof RUN_KINDS)[number]

const scope = {
  report_slug: storableText(200).describe('Which report.'),
  window: z.enum(WINDOWS),
  date_from: ReportDay.describe('The first day; widened to whole buckets. UTC.'),
  date_to: ReportDay.describe('The last day, which is part of it.'),
}

export const RequestRun = z.strictObject({
  ...scope,
  requested_by: storableText(200).optional().describe('Whom it is for: recorded as a claim.'),
})
export type RequestRun = z.infer<typeof RequestRun>

export const StartRun = z.strictObject({
  ...scope,
  actor: storableText(200).describe('Who asks for it.'),
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
  progress: z.object({ done: z.int(), total: z.int() }).describe('Buckets.'),
  requested_at: z.iso.datetime(),
  started_at: z.iso.datetime().optional(),
  finished_at: z.iso.datetime().optional(),
  error_message: z.string().optional(),
  summary: z
    .object({ rows_deleted: z.int(), rows_inserted: z.int(), bucket_count: z.int() })
    .optional()
    .describe('Of what was rebuilt, when it has ended.'),
})
export type RecomputeRun = z.infer<typeof RecomputeRun>

export const RunsRequest = z.strictObject({
  status: z.enum(RUN_STATUSES).optional().describe('Those alone that are so.'),
  kind: z.enum(RUN_KINDS).optional().describe('`requested`: those that somebody asked for.'),
  limit: wholeNumber(1, 100).default(50),
  offset: wholeNumber(0, OFFSET_MAX).default(0),
})
export type RunsRequest = z.infer<typeof RunsRequest>

export const CancelRun = z.strictObject({
  actor: storableText(200).describe('Who asks for it.'),
  requested_by: storableText(200).optional().describe('Whom it is for: recorded as a claim.'),
})
export type CancelRun = z.infer<typeof CancelRun>

/** Whole buckets, from the first to the last. */
export const RebuildRequest = z.strictObject({ run_id: z.uuid(), from: ReportDay, to: ReportDay })
export type RebuildRequest = z.infer<typeof RebuildRequest>
export const RebuildResponse = z.object({
  done: z.int().nullable().describe('Buckets of the run that are done; null when it runs no more.'),
  took_ms: z.number(),
})
export type RebuildResponse = z.infer<typeof RebuildResponse>
