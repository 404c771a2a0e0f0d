import { z } from 'zod'
import { KINDS, kindsWith } from './kinds.ts'
import { storableText } from './text.ts'
import { wholeNumber } from './whole-number.ts'

const BATCH_ID_PATTERN = /^\d{1,18}$/
const INDEX_MAX = 999_999_999

/** A refused interaction's batch, and its place in it. */
export interface RejectedKey {
  batch_id: string
  index: number
}

/** `12.0` for the first item of batch 12. */
export function rejectedIdOf({ batch_id, index }: RejectedKey): string {
  return `${batch_id}.${index}`
}

/** What an id names; undefined for a text that is none. */
export function rejectedKeyOf(id: string): RejectedKey | undefined {
  const [, batch_id, index] = /^(\d{1,18})\.(\d{1,9})$/.exec(id) ?? []
  return batch_id === undefined ? undefined : { batch_id: String(BigInt(batch_id)), index: Number(index) }
}

/** An interaction, a search or a payment callback that was not recorded, and why. */
export const RejectedInteraction = z.object({
  id: z.string().describe('`<batch_id>.<index>`.'),
  batch_id: z.string(),
  index: z.int().describe('Its place in the request.'),
  received_at: z.iso.datetime(),
  code: z.string().describe('invalid, too_old, in_future or refused'),
  field: z.string().nullable(),
  message: z.string(),
  item: z.unknown().describe('What was sent; the text itself when it is no JSON.'),
  replayed_at: z.iso.datetime().nullable().describe('When it was sent again; null while it waits for that.'),
})
export type RejectedInteraction = z.infer<typeof RejectedInteraction>

export const RejectedRequest = z.strictObject({
  limit: wholeNumber(1, 100).default(20).describe('Interactions of the page.'),
  cursor: z.string().min(1).max(2_000).optional().describe('meta.next_cursor of the page before.'),
  replayed: z.boolean().default(false).describe('Those that were sent again already, too.'),
})
export type RejectedRequest = z.infer<typeof RejectedRequest>

export const RejectedResponse = z
  .object({
    data: z.array(RejectedInteraction),
    meta: z.object({ next_cursor: z.string().nullable().describe('Asks for the next page; null on the last.') }),
  })
  .meta({
    examples: [
      {
        data: [
          {
            id: '1.2',
            batch_id: '1',
            index: 2,
            received_at: '2026-03-01T12:00:00.000Z',
            code: 'invalid',
            field: 'ref_id',
            message: 'is missing',
            item: { session_id: 's-1', event_type: 'view', ref_type: 'Product' },
            replayed_at: null,
          },
        ],
        meta: { next_cursor: null },
      },
    ],
  })
export type RejectedResponse = z.infer<typeof RejectedResponse>

const KEPT = kindsWith('isKeptWhenRejected').map((kind) => KINDS[kind])

/** Fields to put in place of those that were sent. Null takes a field away: no field that is sent is null. */
export const Correction = z.record(z.string(), z.unknown()).superRefine((fields, context) => {
  for (const [name, value] of Object.entries(fields)) {
    if (value === null || KEPT.some(({ schema: { shape } }) => Object.hasOwn(shape, name))) continue
    const message = 'is not a field of an interaction, a search or a payment callback; null takes one away'
    context.addIssue({ code: 'custom', path: [name], message })
  }
})
export type Correction = z.infer<typeof Correction>

export const ReplayRejectedRequest = z.strictObject({
  batch_id: z.string().regex(BATCH_ID_PATTERN),
  index: z.int().min(0).max(INDEX_MAX),
  set: Correction.optional().describe('Repairs the event itself: field → value, null for none.'),
  actor: storableText(200).optional().describe('Who asks for it.'),
})
export type ReplayRejectedRequest = z.infer<typeof ReplayRejectedRequest>

export const ReplayRejectedResponse = z.object({
  outcome: z.enum(['accepted', 'duplicate', 'rejected']),
  rejection: z
    .object({ id: z.string(), code: z.string(), field: z.string().nullable(), message: z.string() })
    .optional()
    .describe('Why it was refused again, and its new id.'),
  event_id: z.string().optional().describe('The identity of the event in the log; a payment callback has one of its own.'),
})
export type ReplayRejectedResponse = z.infer<typeof ReplayRejectedResponse>
