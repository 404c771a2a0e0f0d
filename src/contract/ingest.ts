import { z } from 'zod'
import { wholeNumber } from './fields/whole-number.ts'

/** What is counted when it comes in. A search includes none of its clicks, which are interactions. */
export const INGEST_KINDS = ['interaction', 'search', 'payment', 'analytics_event', 'product'] as const
export type IngestKind = (typeof INGEST_KINDS)[number]

export const INGEST_HOURS_MAX = 168

export const IngestRequest = z.strictObject({
  hours: wholeNumber(1, INGEST_HOURS_MAX).default(24).describe('The last so many hours of UTC; the running one is the last.'),
})

export const IngestOfKind = z.object({
  kind: z.enum(INGEST_KINDS),
  accepted: z.int().describe('Items that were recorded. Of products: versions that changed the catalog.'),
  duplicates: z.int().describe('Items that were recorded before. Of products: versions that changed nothing.'),
  rejected: z.int().describe('Items that were not recorded because something is wrong with them.'),
})
export type IngestOfKind = z.infer<typeof IngestOfKind>

export const IngestHour = z.object({
  hour: z.iso.datetime().describe('The beginning of the hour.'),
  kinds: z.array(IngestOfKind).describe('Every kind.'),
})
export type IngestHour = z.infer<typeof IngestHour>

/** What came in, by the hour in which it was received. */
export const IngestResponse = z
  .object({
    data: z.array(IngestHour),
    meta: z.object({
      from: z.iso.datetime(),
      to: z.iso.datetime().describe('The instant of the answer.'),
      counted_since: z.iso
        .datetime()
        .describe('When this database began to count. What a release before recorded, also afterwards, is left out.'),
    }),
  })
  .meta({
    examples: [
      {
        data: [
          {
            hour: '2026-03-01T12:00:00.000Z',
            kinds: [
              { kind: 'interaction', accepted: 2, duplicates: 0, rejected: 1 },
              { kind: 'search', accepted: 0, duplicates: 0, rejected: 0 },
              { kind: 'payment', accepted: 0, duplicates: 0, rejected: 0 },
              { kind: 'analytics_event', accepted: 0, duplicates: 0, rejected: 0 },
              { kind: 'product', accepted: 0, duplicates: 0, rejected: 0 },
            ],
          },
        ],
        meta: {
          from: '2026-03-01T12:00:00.000Z',
          to: '2026-03-01T12:00:03.120Z',
          counted_since: '2026-03-01T11:59:50.000Z',
        },
      },
    ],
  })
export type IngestResponse = z.infer<typeof IngestResponse>
