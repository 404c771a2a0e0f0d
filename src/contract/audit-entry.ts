import { z } from 'zod'
import { OFFSET_MAX } from './report.ts'
import { storableText } from './text.ts'
import { wholeNumber } from './whole-number.ts'

export const AuditEntriesRequest = z.strictObject({
  action: storableText(200).optional().describe('As `key.create`.'),
  actor: storableText(200).optional().describe('The name of a key, or `local`.'),
  resource_type: storableText(200).optional().describe('As `key`.'),
  limit: wholeNumber(1, 100).default(50).describe('Entries of the page.'),
  offset: wholeNumber(0, OFFSET_MAX).default(0).describe('How many come before it.'),
})
export type AuditEntriesRequest = z.infer<typeof AuditEntriesRequest>

export const AuditEntry = z.object({
  id: z.string(),
  at: z.iso.datetime(),
  actor: z.string(),
  action: z.string(),
  resource_type: z.string(),
  resource_id: z.string(),
  metadata: z.record(z.string(), z.unknown()),
})
export type AuditEntry = z.infer<typeof AuditEntry>

/** As REST answers it. */
export const AuditEntriesResponse = z
  .object({ data: z.array(AuditEntry), meta: z.object({ row_count: z.int().describe('Entries of all pages.') }) })
  .meta({
    examples: [
      {
        data: [
          {
            id: '1',
            at: '2026-03-01T12:00:00.000Z',
            actor: 'ada',
            action: 'key.create',
            resource_type: 'key',
            resource_id: 'k_1',
            metadata: { name: 'checkout' },
          },
        ],
        meta: { row_count: 1 },
      },
    ],
  })
