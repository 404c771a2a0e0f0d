import { z } from 'zod'
import { NextCursor, pageCursor, pageLimit } from './fields/page.ts'

export const ArchivedMonth = z.object({
  month: z.string().describe('In UTC.'),
  table: z.string().describe('Of the log: `interaction`, `search` or `analytics_event`.'),
  rows: z.int(),
  bytes: z.int().describe('Of its parts, as they are in the archive.'),
  parts: z.int(),
  place: z.string().describe('The folder, or the bucket with its prefix.'),
  archived_at: z.iso.datetime().describe('When the archive was found to have what the log had, before the month was dropped.'),
  restored_at: z.iso
    .datetime()
    .nullable()
    .describe('When the month was restored into a table of its own; null while there is no such table.'),
})
export type ArchivedMonth = z.infer<typeof ArchivedMonth>

export const ArchivesRequest = z.strictObject({ limit: pageLimit(50, 'Months of the page.'), cursor: pageCursor() })
export type ArchivesRequest = z.infer<typeof ArchivesRequest>

export const ArchivesResponse = z.object({ data: z.array(ArchivedMonth), meta: z.object({ next_cursor: NextCursor }) }).meta({
  examples: [
    {
      data: [
        {
          month: '2026-01',
          table: 'interaction',
          rows: 550_000,
          bytes: 49_500_000,
          parts: 3,
          place: '/srv/footfall-archive',
          archived_at: '2026-03-01T12:00:00.000Z',
          restored_at: null,
        },
      ],
      meta: { next_cursor: null },
    },
  ],
})
export type ArchivesResponse = z.infer<typeof ArchivesResponse>
