import { z } from 'zod'
import { hasReadableStars, starsIn } from './fields/rating.ts'
import { Id, isAddressable } from './fields/id.ts'
import { uncheckedItem } from './fields/item-schema.ts'
import { hasOneIdentity, Interaction, ItemWarning, TWO_IDENTITIES } from './interaction.ts'
import { normalisedQuery, SEARCH_CLICK } from './search.ts'

/** The event types that `click` becomes, by `metadata.source`. */
const CLICK_SOURCES = ['search', 'category', 'recommendation'] as const

const { shape } = Interaction
const NOT_ADDRESSABLE = 'must not be ".", ".." or "top"'
const RATING = 'must be a number from 1 to 5'

/**
 * One interaction, as a frontend sends it: also with `user_id` for account_id, `asin` for the product, and the types `rate` and `click`,
 * whose metadata says what they become.
 */
export const TrackedEvent = z
  .strictObject({
    ...shape,
    user_id: Id.optional().describe('Another name of account_id.'),
    event_type: shape.event_type.describe(
      'Any type. `rate` with `metadata.rating` 1–5 becomes rating_low (below 2.5), rating_medium (below 3.5) or rating_high; `click` with `metadata.source` (search, category or recommendation) becomes click_from_ and the source. The `metadata.query` of a click_from_search is normalised.',
    ),
    ref_type: shape.ref_type.optional().describe('Product if absent.'),
    ref_id: Id.optional().describe('The product or category. ref_id or asin is needed.'),
    asin: Id.optional().describe('Another name of the ref_id of a product; without ref_type and ref_id.'),
  })
  .refine(({ account_id, user_id, session_id }) => (account_id ?? user_id ?? session_id) !== undefined, {
    error: 'account_id, user_id or session_id is needed',
    path: ['account_id'],
  })
  .refine(({ account_id, user_id }) => account_id === undefined || user_id === undefined || account_id === user_id, {
    error: 'differs from account_id: it is another name of it',
    path: ['user_id'],
  })
  .refine(({ asin, ref_type, ref_id }) => asin === undefined || (ref_type ?? ref_id) === undefined, {
    error: 'must not come with ref_type or ref_id: it is another name of them',
    path: ['asin'],
  })
  .refine(({ asin, ref_id }) => (asin ?? ref_id) !== undefined, { error: 'is missing', path: ['ref_id'] })
  .refine(({ ref_type, ref_id }) => ref_type === 'Category' || ref_id === undefined || isAddressable(ref_id), {
    error: NOT_ADDRESSABLE,
    path: ['ref_id'],
  })
  .refine(({ asin }) => asin === undefined || isAddressable(asin), { error: NOT_ADDRESSABLE, path: ['asin'] })
  .refine(hasOneIdentity, TWO_IDENTITIES)
  .refine(hasReadableStars, { error: RATING, path: ['metadata', 'rating'] })
  .refine(({ event_type: type, metadata }) => type !== 'rate' || (starsIn(metadata) ?? Number.NaN) >= 1, {
    error: RATING,
    path: ['metadata', 'rating'],
  })
  .refine(
    ({ event_type: type, metadata }) => type !== 'click' || CLICK_SOURCES.some((source) => source === metadata?.['source']),
    {
      error: 'must be search, category or recommendation',
      path: ['metadata', 'source'],
    },
  )
  .meta({
    examples: [
      {
        event_id: '01a0c3f4-9b2e-4d07-8c55-3f1e2d4c5b6a',
        occurred_at: '2026-03-01T12:00:00Z',
        session_id: 's-1',
        event_type: 'view',
        ref_type: 'Product',
        ref_id: 'lamp',
      },
    ],
  })
export type TrackedEvent = z.infer<typeof TrackedEvent>

/** For the route, which has wrong values of some fields left out. */
export const UncheckedTrackedEvent = uncheckedItem(TrackedEvent)

export const TrackedEventResponse = z.object({
  event_id: z
    .string()
    .describe('The id of the event: as sent, of its event_key, or a new one. Resend with it: the event counts once.'),
  occurred_at: z.iso.datetime().describe('Its time, which identifies it together with the id.'),
  warnings: z
    .array(ItemWarning.omit({ index: true }))
    .optional()
    .describe('Wrong user_agent, ip_address or sent_at that the event is recorded without; absent when there are none.'),
})
export type TrackedEventResponse = z.infer<typeof TrackedEventResponse>

/** The interaction as which an event is recorded. */
export function interactionOfTracked({ user_id, asin, ...event }: TrackedEvent): Interaction {
  const event_type = typeOf(event)
  return {
    ...event,
    account_id: event.account_id ?? user_id,
    ref_type: event.ref_type ?? 'Product',
    ref_id: (event.ref_id ?? asin)!,
    event_type,
    metadata: event_type === SEARCH_CLICK ? withNormalisedQuery(event.metadata) : event.metadata,
  }
}

/** The clicks of a query are counted by its normalised text, as those of POST /api/v1/search/click. */
function withNormalisedQuery(metadata: TrackedEvent['metadata']): TrackedEvent['metadata'] {
  const query = metadata?.['query']
  return typeof query === 'string' ? { ...metadata, query: normalisedQuery(query) } : metadata
}

type Typed = Pick<TrackedEvent, 'event_type' | 'metadata'>

function typeOf({ event_type: type, metadata }: Typed): string {
  if (type === 'click') return `click_from_${String(metadata!['source'])}`
  if (type !== 'rate') return type
  const stars = Math.round(starsIn(metadata)!)
  return stars <= 2 ? 'rating_low' : stars === 3 ? 'rating_medium' : 'rating_high'
}
