import { z } from 'zod'
import { EVENT_STATUSES } from './analytics-event.ts'
import { handler } from './handler.ts'
import { pageLimit, PageOffset } from './fields/page.ts'
import { SourceSlug } from './payment.ts'
import { storableText } from './fields/text.ts'
import { unlessMissing } from './fields/zod-messages.ts'

export const REPORT_SLUGS = ['volume-by-period', 'status-counts', 'top-entities'] as const
export type ReportSlug = (typeof REPORT_SLUGS)[number]
export const WINDOWS = ['day', 'week'] as const
export type ReportWindow = (typeof WINDOWS)[number]
export const BREAKDOWNS = ['period', 'source', 'status'] as const
export type Breakdown = (typeof BREAKDOWNS)[number]
export const REPORT_DAYS_MAX = 366

export const ReportDay = z.iso.date({ error: unlessMissing('must be a day such as 2026-03-01') })

export const ReportDefinition = z.object({
  slug: z.string(),
  name: z.string(),
  description: z.string(),
  cache_ttl_seconds: z.int(),
  default_window: z.enum(WINDOWS),
  allowed_windows: z.array(z.object({ window: z.enum(WINDOWS), retention_days: z.int(), refresh_interval_minutes: z.int() })),
  supported_filters: z.array(z.string()),
})
export type ReportDefinition = z.infer<typeof ReportDefinition>

export const ReportsRequest = z.strictObject({
  search: storableText(200).optional().describe('A part of the slug, name or description.'),
  sort: z.enum(['slug', 'name']).default('slug').describe('The text by which reports are sorted.'),
  order: z.enum(['asc', 'desc']).default('asc').describe('Ascending or descending.'),
  limit: pageLimit(50, 'Reports of the page.'),
  offset: PageOffset,
})
export type ReportsRequest = z.infer<typeof ReportsRequest>

export const RunReportRequest = z.strictObject({
  report_slug: storableText(200).describe('The report.'),
  window: z
    .enum(WINDOWS)
    .optional()
    .describe("The length of the buckets; the report's default if absent. Weeks begin on Monday."),
  date_from: ReportDay.optional().describe('The first day, in UTC; 29 days before the last day if absent.'),
  date_to: ReportDay.optional().describe('The last day, which is included; today if absent.'),
  breakdown: z
    .enum(BREAKDOWNS)
    .optional()
    .describe('volume-by-period: period (default) or source; status-counts: status (default) or period.'),
  source: SourceSlug.optional().describe('volume-by-period: only events of this source.'),
  status: z.enum(EVENT_STATUSES).optional().describe('status-counts: only events with this status.'),
  limit: pageLimit(50, 'Rows of the page.'),
  offset: PageOffset,
})
export type RunReportRequest = z.infer<typeof RunReportRequest>

const Amounts = z.array(z.object({ currency: z.string(), amount: z.int() }))

export const ReportRow = z.object({
  bucket_date: z.iso.date().optional().describe("The bucket's first day; Monday for weeks."),
  source: z.string().optional(),
  status: z.string().optional(),
  entity_id: z.string().optional(),
  event_count: z.int(),
  amounts: Amounts,
  processing_ms_avg: z.number().nullable(),
  processing_ms_max: z.int().nullable(),
})
export type ReportRow = z.infer<typeof ReportRow>

export const ReportAnswer = z.object({
  report_slug: z.string(),
  window: z.enum(WINDOWS),
  date_from: z.iso.date().describe('The first day of the first bucket.'),
  date_to: z.iso.date(),
  generated_at: z.iso.datetime(),
  rows: z.array(ReportRow),
  row_count: z.int().describe('Rows of all pages.'),
  execution_ms: z.number(),
  cache_hit: z.boolean(),
  fresh_as_of: z.iso
    .datetime()
    .nullable()
    .describe('Events recorded before this instant are in the buckets that are built; null while no bucket is built.'),
  complete: z.boolean().describe('False while a bucket of the range is missing or got events after it was built.'),
  run_ids: z.array(z.string()).describe('The runs that built the buckets, newest first, at most 100.'),
})
export type ReportAnswer = z.infer<typeof ReportAnswer>

const DEFINITION: ReportDefinition = {
  slug: 'volume-by-period',
  name: 'Volume by period',
  description: 'Number of events, their amounts, and their processing times.',
  cache_ttl_seconds: 60,
  default_window: 'day',
  allowed_windows: [
    { window: 'day', retention_days: 1_100, refresh_interval_minutes: 60 },
    { window: 'week', retention_days: 3_660, refresh_interval_minutes: 360 },
  ],
  supported_filters: ['source'],
}

/** The answer over HTTP. */
export const ReportsResponse = z
  .object({ data: z.array(ReportDefinition), meta: z.object({ row_count: z.int().describe('Reports of all pages.') }) })
  .meta({ examples: [{ data: [DEFINITION], meta: { row_count: 1 } }] })
export const ReportResponse = z.object({ data: ReportDefinition }).meta({ examples: [{ data: DEFINITION }] })
export const RunReportResponse = z.object({ data: ReportAnswer }).meta({
  examples: [
    {
      data: {
        report_slug: 'volume-by-period',
        window: 'day',
        date_from: '2026-03-01',
        date_to: '2026-03-02',
        generated_at: '2026-03-02T12:00:00.000Z',
        rows: [
          {
            bucket_date: '2026-03-01',
            event_count: 3,
            amounts: [{ currency: 'EUR', amount: 9_980 }],
            processing_ms_avg: 115.5,
            processing_ms_max: 120,
          },
        ],
        row_count: 1,
        execution_ms: 1.7,
        cache_hit: false,
        fresh_as_of: '2026-03-02T11:58:41.205Z',
        complete: true,
        run_ids: ['0d1d5a8e-1f0a-4c8e-9a53-6a2f5f9d2b11'],
      },
    },
  ],
})

export const reportHandlers = {
  RunReport: handler({
    input: RunReportRequest,
    output: ReportAnswer,
    description: 'A page of a report, read from its stored buckets.',
  }),
}
