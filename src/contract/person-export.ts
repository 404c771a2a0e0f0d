import { z } from 'zod'
import { NextCursor, pageCursor, pageLimit } from './fields/page.ts'
import { storableText } from './fields/text.ts'
import { handler } from './handler.ts'

export const EXPORT_STATUSES = ['started', 'completed', 'cut_off'] as const
export type ExportStatus = (typeof EXPORT_STATUSES)[number]

/** It names no shopper, because it stays. */
export const PersonExport = z.object({
  id: z.uuid(),
  status: z
    .enum(EXPORT_STATUSES)
    .describe(
      '`cut_off`: the reader hung up, or a read failed. One that stays `started` ended with its gateway, or while Restate did not answer.',
    ),
  actor: z.string(),
  requested_by: z.string().nullable(),
  started_at: z.iso.datetime(),
  finished_at: z.iso.datetime().optional(),
  rows: z.int().optional().describe('How many were sent, once it has ended.'),
})
export type PersonExport = z.infer<typeof PersonExport>

export const ExportsRequest = z.strictObject({ limit: pageLimit(50, 'Exports of the page.'), cursor: pageCursor() })
export type ExportsRequest = z.infer<typeof ExportsRequest>

export const ExportsResponse = z.object({ data: z.array(PersonExport), meta: z.object({ next_cursor: NextCursor }) }).meta({
  examples: [
    {
      data: [
        {
          id: '019cb2f8-9d00-7c3e-8f5a-5b0f2a6d9c13',
          status: 'completed',
          actor: 'local',
          requested_by: 'privacy desk',
          started_at: '2026-03-01T12:00:00.000Z',
          finished_at: '2026-03-01T12:00:01.310Z',
          rows: 41,
        },
      ],
      meta: { next_cursor: null },
    },
  ],
})
export type ExportsResponse = z.infer<typeof ExportsResponse>

/** The beginning or the end of an export, which the gateway makes. */
export const NoteExport = z.strictObject({
  export_id: z.uuid(),
  status: z.enum(EXPORT_STATUSES),
  rows: z.int().min(0).optional().describe('How many were sent, once it has ended.'),
  actor: storableText(200).describe('The caller, for the audit log.'),
  requested_by: storableText(200).optional().describe('The name of the person who wants it: recorded, not verified.'),
})
export type NoteExport = z.infer<typeof NoteExport>

export const exportHandlers = {
  NoteExport: handler({
    input: NoteExport,
    output: PersonExport,
    isForOperators: true,
    description: 'Notes that an export of what is kept about a person began or ended, with its audit entry.',
  }),
}
