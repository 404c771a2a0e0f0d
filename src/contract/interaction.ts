import { z } from 'zod'
import { handler } from './handler.ts'
import { uncheckedItems } from './fields/item-schema.ts'
import { EventId, EventKey } from './fields/event-id.ts'
import { storableText } from './fields/text.ts'
import { Id } from './fields/id.ts'
import { isAddressable } from './fields/id.ts'
import { isStorableJson } from './fields/json.ts'
import { Instant } from './fields/instant.ts'
import { alsoAsDigits } from './fields/read-as.ts'
import { hasReadableStars } from './fields/rating.ts'
import { Waiting } from './waiting.ts'
import { EARLIEST_MS, millisecondsOf } from './fields/time.ts'

export const EVENT_TYPE_PATTERN = /^[a-z0-9_]{1,64}$/
export const BATCH_ITEMS_MAX = 10_000
export const BODY_BYTES_MAX = 16 * 1024 * 1024
/** The limit of a browser for requests that outlive their page. */
export const PUBLISHABLE_BODY_BYTES_MAX = 64 * 1024
/** More than the shortest valid events in so many bytes. */
export const PUBLISHABLE_ITEMS_MAX = 1_000
export const METADATA_BYTES_MAX = 4_096
export const USER_AGENT_CHARACTERS_MAX = 1_000
/** A small object that the sender wants to keep with an event. */
export const Metadata = z
  .record(z.string(), z.unknown(), { error: 'must be an object of at most 63 levels, with numbers below 1.8e308' })
  .refine((value) => new TextEncoder().encode(JSON.stringify(value)).length <= METADATA_BYTES_MAX, {
    error: `must have at most ${METADATA_BYTES_MAX} bytes as JSON`,
    abort: true,
  })
  .refine(isStorableJson, { error: 'must not contain NUL or half a surrogate pair' })

const SENT_MS_END = Date.UTC(2200, 0)

/** A clock may show anything, and the database stores no year 0. */
const SentAt = Instant.refine((instant) => millisecondsOf(instant) >= EARLIEST_MS && millisecondsOf(instant) < SENT_MS_END, {
  error: 'must be in the years 2000 to 2199',
})

/** Fields about the sender's device. An event with a wrong one is recorded without it, because it says the same about the shopper. */
export const DEVICE_FIELDS: readonly string[] = ['user_agent', 'ip_address', 'sent_at']

/** Whether an event has at most one of the two fields that identify it. */
export function hasOneIdentity(event: { event_id?: unknown; event_key?: unknown }): boolean {
  return event.event_id === undefined || event.event_key === undefined
}
export const TWO_IDENTITIES = { error: 'must not come with an event_id', path: ['event_key'] }

/** One action of a shopper on a product or a category. */
export const Interaction = z
  .strictObject({
    event_id: EventId.optional().describe(
      'Identifies the event, together with its time. Needs occurred_at, unless it is a UUIDv7, which contains the time.',
    ),
    event_key: EventKey.optional().describe(
      'In place of event_id, for an id that is no UUID, e.g. a ULID. The event_id is then the UUIDv5 of this text. Needs occurred_at.',
    ),
    occurred_at: Instant.optional().describe('When it happened; now if absent. Kept as UTC milliseconds.'),
    sent_at: SentAt.optional().describe(
      "When it was sent, by the sender's clock. Recorded next to occurred_at, which it does not change. A rejection as in_future says by how much that clock is ahead.",
    ),
    account_id: Id.optional().describe('The shopper who is signed in. account_id or session_id is needed.'),
    account_number: alsoAsDigits(z.int()).optional().describe("The shopper's number in a system that counts its accounts."),
    session_id: Id.optional().describe('The visit of the shopper.'),
    event_type: z
      .string()
      .regex(EVENT_TYPE_PATTERN, { error: 'must be 1 to 64 of a-z, 0-9 and _' })
      .describe('A type without a weight is recorded and does not change the score.'),
    ref_type: z.enum(['Product', 'Category']),
    ref_id: Id,
    metadata: Metadata.optional(),
    user_agent: storableText(USER_AGENT_CHARACTERS_MAX).optional(),
    ip_address: z.union([z.ipv4(), z.ipv6()], { error: 'must be an IPv4 or IPv6 address' }).optional(),
  })
  .refine((event) => event.account_id !== undefined || event.session_id !== undefined, {
    error: 'account_id or session_id is needed',
    path: ['account_id'],
  })
  .refine(hasOneIdentity, TWO_IDENTITIES)
  .refine(hasReadableStars, { error: 'must be a number from 1 to 5', path: ['metadata', 'rating'] })
  .refine((event) => event.ref_type !== 'Product' || isAddressable(event.ref_id), {
    error: 'must not be ".", ".." or "top"',
    path: ['ref_id'],
  })
export type Interaction = z.infer<typeof Interaction>

export const CreateInteractionRequest = z
  .strictObject({
    interactions: uncheckedItems(Interaction, BATCH_ITEMS_MAX).describe(
      'Each is checked alone: a wrong item is rejected with its index, and the others are recorded.',
    ),
  })
  .meta({
    examples: [
      {
        interactions: [
          {
            event_id: '0d1d5a8e-1f0a-4c8e-9a53-6a2f5f9d2b11',
            occurred_at: '2026-03-01T12:00:00Z',
            account_id: 'ada',
            event_type: 'purchase',
            ref_type: 'Product',
            ref_id: 'lamp',
          },
          { session_id: 's-1', event_type: 'view', ref_type: 'Product', ref_id: 'desk', metadata: { shelf: 'spring' } },
        ],
      },
    ],
  })
export type CreateInteractionRequest = z.infer<typeof CreateInteractionRequest>

export const RejectedItem = z.object({
  index: z.int().describe('Position in the request, from 0.'),
  code: z
    .string()
    .describe(
      'invalid, too_old, in_future or refused; for analytics events also inactive_source, for payment callbacks also not_yet.',
    ),
  field: z.string().nullable().describe('The wrong field; null if the whole item is wrong.'),
  message: z.string(),
})
export type RejectedItem = z.infer<typeof RejectedItem>

export const ItemWarning = z.object({
  index: z.int().describe('Position in the request, from 0.'),
  field: z.string().describe('The field that was left out.'),
  message: z.string(),
})
export type ItemWarning = z.infer<typeof ItemWarning>

export const UnweightedType = z.object({
  event_type: z.string(),
  indexes: z.array(z.int()).describe('Positions of the items of this type that are recorded or were before.'),
})
export type UnweightedType = z.infer<typeof UnweightedType>

export const CreateInteractionResponse = z.object({
  accepted: z.int().describe('How many items this request recorded.'),
  duplicates: z.int().describe('How many items were recorded before, or occur twice in this request.'),
  duplicate_indexes: z.array(z.int()),
  rejected: z.array(RejectedItem),
  warnings: z
    .array(ItemWarning)
    .optional()
    .describe('Items that are recorded without a wrong user_agent, ip_address or sent_at; absent when there are none.'),
  unweighted: z
    .array(UnweightedType)
    .optional()
    .describe(
      'Event types without a weight, whose events do not change the score, e.g. because they are misspelt; absent when there are none.',
    ),
})
export type CreateInteractionResponse = z.infer<typeof CreateInteractionResponse>

/** The answer to `Prefer: respond-async`: Restate has stored the call and will complete it. */
export const SubmittedResponse = z.object({ invocation_id: z.string().describe("Restate's id of the call.") })
export type SubmittedResponse = z.infer<typeof SubmittedResponse>

/** The answer of a handler: to a call over REST the gateway answers when its items are recorded. */
export const RecordedOrWaiting = CreateInteractionResponse.extend({ waiting: Waiting })

export const interactionHandlers = {
  CreateInteraction: handler({
    input: CreateInteractionRequest,
    output: RecordedOrWaiting,
    description: 'Records a batch of interactions once and sends it on to be counted. Each item is checked alone.',
  }),
}
