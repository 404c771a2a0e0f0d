import { z } from 'zod'
import { Id, ProductId } from './fields/id.ts'
import { Instant } from './fields/instant.ts'
import { NextCursor, pageCursor, pageLimit } from './fields/page.ts'

const BatchId = z.string().regex(/^\d{1,18}$/, { error: 'must be the number of a batch' })

export const InteractionsRequest = z.strictObject({
  product_id: ProductId.optional().describe('Only interactions with this product.'),
  account_id: Id.optional().describe(
    'Only those that were sent with this account. Those of its sessions before it signed in are left out.',
  ),
  session_id: Id.optional().describe('Only those of this session.'),
  batch_id: BatchId.optional().describe('Only those of this batch.'),
  from: Instant.optional().describe('The first instant, included.'),
  to: Instant.optional().describe('The end, excluded.'),
  limit: pageLimit(50, 'Interactions of the page, at most.'),
  cursor: pageCursor('meta.next_cursor of the page before, with the same filter.'),
})
export type InteractionsRequest = z.infer<typeof InteractionsRequest>

/** An interaction as the log has it. What a setting of privacy drops is null, and an erased person has a pseudonym. */
export const LoggedInteraction = z.object({
  event_id: z.string(),
  occurred_at: z.iso.datetime(),
  recorded_at: z.iso.datetime().describe('When its batch was recorded.'),
  batch_id: z.string(),
  event_type: z.string(),
  ref_type: z.enum(['Product', 'Category']),
  ref_id: z.string(),
  account_id: z.string().nullable(),
  account_number: z.int().nullable(),
  session_id: z.string().nullable(),
  category: z.string().nullable().describe('Of the product, when it was recorded.'),
  brand: z.string().nullable(),
  metadata: z.unknown(),
  user_agent: z.string().nullable(),
  ip_address: z.string().nullable(),
  sent_at: z.iso.datetime().nullable(),
})
export type LoggedInteraction = z.infer<typeof LoggedInteraction>

export const InteractionsResponse = z
  .object({
    data: z.array(LoggedInteraction),
    meta: z.object({
      next_cursor: NextCursor,
      searched_to: z.iso
        .datetime()
        .nullable()
        .describe(
          'A page that is short of its limit, and goes on, has all interactions down to this instant; null for a page that ends the list.',
        ),
    }),
  })
  .meta({
    examples: [
      {
        data: [
          {
            event_id: '0d1d5a8e-1f0a-4c8e-9a53-6a2f5f9d2b11',
            occurred_at: '2026-03-01T12:00:00.000Z',
            recorded_at: '2026-03-01T12:00:00.041Z',
            batch_id: '1',
            event_type: 'purchase',
            ref_type: 'Product',
            ref_id: 'lamp',
            account_id: 'ada',
            account_number: null,
            session_id: null,
            category: 'lighting',
            brand: null,
            metadata: { shelf: 'spring' },
            user_agent: null,
            ip_address: null,
            sent_at: null,
          },
        ],
        meta: { next_cursor: null, searched_to: null },
      },
    ],
  })
export type InteractionsResponse = z.infer<typeof InteractionsResponse>
