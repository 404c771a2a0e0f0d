import { z } from 'zod'
import { handler } from './handler.ts'
import { KINDS, kindsWith, type KindWith } from './kinds.ts'
import { PRODUCT_EVENT_FIELDS } from './kafka-record.ts'
import { CALLBACKS_MAX } from './payment.ts'
import { NextCursor, pageCursor, pageLimit } from './fields/page.ts'
import { storableText } from './fields/text.ts'

/** The kinds of rejected events. A webhook is one of which an adapter made no payment callback; a record came from Kafka. */
export type RejectedKind = KindWith<'isKeptWhenRejected'> | 'webhook' | 'record'
export const REJECTED_KINDS: readonly RejectedKind[] = [...kindsWith('isKeptWhenRejected'), 'webhook', 'record']

const BATCH_ID_PATTERN = /^\d{1,18}$/
const INDEX_MAX = 999_999_999

/** The batch of a rejected event, and its position in the batch. */
export interface RejectedKey {
  batch_id: string
  index: number
}

/** The id of a rejected event, e.g. `12.0` for the first item of batch 12. */
export function rejectedIdOf({ batch_id, index }: RejectedKey): string {
  return `${batch_id}.${index}`
}

/** The key in an id; undefined for a text that is not an id. */
export function rejectedKeyOf(id: string): RejectedKey | undefined {
  const [, batch_id, index] = /^(\d{1,18})\.(\d{1,9})$/.exec(id) ?? []
  return batch_id === undefined ? undefined : { batch_id: String(BigInt(batch_id)), index: Number(index) }
}

/** An interaction, a search, a payment callback, a webhook or a record of Kafka that was not recorded, with the reason. */
export const RejectedInteraction = z.object({
  id: z.string().describe('`<batch_id>.<index>`.'),
  batch_id: z.string(),
  index: z.int().describe('Position in the request, from 0.'),
  received_at: z.iso.datetime(),
  code: z.string().describe('invalid, too_old, in_future, refused or not_yet; ignored for a webhook that an adapter ignored.'),
  field: z.string().nullable(),
  message: z.string(),
  item: z
    .unknown()
    .describe(
      'The item as it was sent; its text if it is not JSON, or was cut. A record of Kafka has its topic, partition and offset, and its key and value as text, or in base64 if they are not UTF-8; they are beginnings if it was cut.',
    ),
  cut_from_bytes: z
    .int()
    .nullable()
    .describe('The size of an item of which only the first 32 KiB are kept: it cannot be replayed. null for a whole item.'),
  replayed_at: z.iso.datetime().nullable().describe('When it was replayed; null before that.'),
})
export type RejectedInteraction = z.infer<typeof RejectedInteraction>

export const RejectedRequest = z.strictObject({
  limit: pageLimit(20, 'Items of the page.'),
  cursor: pageCursor(),
  replayed: z.boolean().default(false).describe('Also lists items that were replayed.'),
  ignored: z.boolean().default(false).describe('Lists the webhooks that adapters ignored, instead of rejected events.'),
})
export type RejectedRequest = z.infer<typeof RejectedRequest>

const EXAMPLE: RejectedInteraction = {
  id: '1.2',
  batch_id: '1',
  index: 2,
  received_at: '2026-03-01T12:00:00.000Z',
  code: 'invalid',
  field: 'ref_id',
  message: 'is missing',
  item: { session_id: 's-1', event_type: 'view', ref_type: 'Product' },
  cut_from_bytes: null,
  replayed_at: null,
}

export const RejectedEventResponse = z.object({ data: RejectedInteraction }).meta({ examples: [{ data: EXAMPLE }] })

export const RejectedResponse = z
  .object({
    data: z.array(RejectedInteraction),
    meta: z.object({ next_cursor: NextCursor }),
  })
  .meta({
    examples: [
      {
        data: [EXAMPLE],
        meta: { next_cursor: null },
      },
    ],
  })
export type RejectedResponse = z.infer<typeof RejectedResponse>

/** How many rejected events of a code and kind wait to be looked at. */
export const RejectedCode = z.object({
  code: z.string(),
  kind: z.enum(REJECTED_KINDS),
  count: z.int().describe('Events that were not replayed.'),
  replayable: z.int().describe('Those that a run replays: they are kept whole, and are no webhooks.'),
  newest_at: z.iso.datetime().describe('When the newest of them was received.'),
})
export type RejectedCode = z.infer<typeof RejectedCode>

export const RejectedCodesResponse = z.object({ data: z.array(RejectedCode) }).meta({
  examples: [
    { data: [{ code: 'invalid', kind: 'interaction', count: 1, replayable: 1, newest_at: '2026-03-01T12:00:00.000Z' }] },
  ],
})
export type RejectedCodesResponse = z.infer<typeof RejectedCodesResponse>

/**
 * The header of a call of a recording handler that names, with commas between them, the positions of items of which little is kept when
 * they are rejected: those that came with a publishable key. A header, because it must not be part of what identifies the call.
 */
export const KEPT_SHORT_HEADER = 'footfall-kept-short'

/** The positions in the header; none without it. */
export function keptShortIn(header: string | undefined): ReadonlySet<number> {
  return new Set((header ?? '').split(',').filter(Boolean).map(Number))
}

const KEPT = kindsWith('isKeptWhenRejected').map((kind) => KINDS[kind])
const KEPT_NOUNS = new Intl.ListFormat('en-GB', { type: 'disjunction' }).format([
  ...KEPT.map(({ noun }) => noun),
  'a product event',
])

/** Fields that replace the sent ones. Null removes a field, because a field that is null is absent. */
export const Correction = z.record(z.string(), z.unknown()).superRefine((fields, context) => {
  for (const [name, value] of Object.entries(fields)) {
    if (value === null || PRODUCT_EVENT_FIELDS.includes(name) || KEPT.some(({ schema: { shape } }) => Object.hasOwn(shape, name)))
      continue
    const message = `is not a field of ${KEPT_NOUNS}; null removes a field`
    context.addIssue({ code: 'custom', path: [name], message })
  }
})
export type Correction = z.infer<typeof Correction>

export const ReplayRejectedRequest = z.strictObject({
  batch_id: z.string().regex(BATCH_ID_PATTERN),
  index: z.int().min(0).max(INDEX_MAX),
  set: Correction.optional().describe('Corrects the item before it is replayed: field → value, or null to remove the field.'),
  callbacks: z
    .array(z.unknown())
    .max(CALLBACKS_MAX)
    .optional()
    .describe(
      'Of a webhook: the payment callbacks that its adapter makes of it now. Needed for a webhook, and for nothing else.',
    ),
  actor: storableText(200).optional().describe('The caller, for the audit log.'),
})
export type ReplayRejectedRequest = z.infer<typeof ReplayRejectedRequest>

export const ReplayRejectedResponse = z.object({
  outcome: z
    .enum(['accepted', 'duplicate', 'rejected', 'ignored'])
    .describe('Of a webhook with several callbacks: rejected when one was, or accepted when one was; ignored without any.'),
  rejection: z
    .object({ id: z.string(), code: z.string(), field: z.string().nullable(), message: z.string() })
    .optional()
    .describe('Why the item was rejected again, and its new id.'),
  event_id: z.string().optional().describe('The id of the event in the log. Absent for payment callbacks and webhooks.'),
})
export type ReplayRejectedResponse = z.infer<typeof ReplayRejectedResponse>

/** A replay of one event over HTTP. */
export const RejectedReplayRequest = z
  .strictObject({
    set: Correction.optional().describe('Corrects the item before it is replayed: field → value, or null to remove the field.'),
  })
  .meta({ examples: [{ set: { ref_id: 'chair' } }] })

export const RejectedReplayResponse = z
  .object({
    data: z.object({
      accepted: z.int(),
      duplicates: z.int().describe('1 for an event that was recorded before.'),
      rejected: z
        .array(z.object({ id: z.string(), code: z.string(), field: z.string().nullable(), message: z.string() }))
        .describe('Why the event was rejected again, and its new id.'),
      event_id: z.string().optional().describe('The id of the event in the log. Absent for payment callbacks.'),
    }),
  })
  .meta({
    examples: [{ data: { accepted: 1, duplicates: 0, rejected: [], event_id: '019cb2f8-9d00-7c3e-8f5a-5b0f2a6d9c11' } }],
  })
export type RejectedReplayResponse = z.infer<typeof RejectedReplayResponse>

export const rejectedHandlers = {
  ReplayRejected: handler({
    input: ReplayRejectedRequest,
    output: ReplayRejectedResponse,
    isForOperators: true,
    description:
      'Sends a rejected event again, once: 409 if it was replayed before or is not kept whole, 404 if it does not exist.',
  }),
}
