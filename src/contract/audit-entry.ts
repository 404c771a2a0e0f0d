import { z } from 'zod'
import { pageLimit, PageOffset } from './fields/page.ts'
import { storableText } from './fields/text.ts'

export const AuditEntriesRequest = z.strictObject({
  action: storableText(200).optional().describe('E.g. `key.create`.'),
  actor: storableText(200).optional().describe('The name of a key, or `local`.'),
  except_actor: storableText(200)
    .optional()
    .describe('Leaves out the entries of one actor, e.g. of `footfall`, which is scheduled work.'),
  resource_type: storableText(200).optional().describe('E.g. `key`.'),
  limit: pageLimit(50, 'Entries of the page.'),
  offset: PageOffset,
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
