import { z } from 'zod'
import { Interaction } from './interaction.ts'
import { itemSchemaOf } from './item-schema.ts'
import { storableText } from './text.ts'
import { wholeNumber } from './whole-number.ts'
import { Id } from './id.ts'
import { ProductId } from './id.ts'

export const QUERY_CHARACTERS_MAX = 200
/** As many as a page of results shows. */
export const SHOWN_PRODUCTS_MAX = 100
/** With each of them showing as many products as it can, counting them takes about as long as counting a batch of interactions. */
export const SEARCHES_MAX = 200
/** The event type under which a product that a search showed is counted. An interaction of this type counts beside it. */
export const SEARCH_IMPRESSION = 'search_impression'
export const SEARCH_CLICK = 'click_from_search'

/**
 * What a query is counted under: "  Red\tLAMP " and "red lamp" are the same. Unicode NFKC and lower case (NFKC again, because
 * lower case can undo it), blanks at the ends dropped, others one space each, at most as many characters as a query: one
 * character may become eighteen.
 */
export function normalisedQuery(query: string): string {
  const words = query.normalize('NFKC').toLowerCase().normalize('NFKC').split(/\s+/).filter(Boolean)
  return Array.from(words.join(' ')).slice(0, QUERY_CHARACTERS_MAX).join('').trim()
}

const Query = storableText(QUERY_CHARACTERS_MAX)
  .refine((query) => normalisedQuery(query) !== '', { error: 'must not be blank' })
  .meta({ pattern: String.raw`^[^\u0000]*[^\s\u0000][^\u0000]*$` })

const { event_id, occurred_at, account_id, session_id } = Interaction.shape

/** A search, with the products that it showed. */
export const Search = z
  .strictObject({
    event_id,
    occurred_at,
    query: Query.describe('As the shopper typed it.'),
    account_id: Id.optional().describe('The signed-in shopper, if there is one.'),
    session_id: Id.optional().describe('The visit.'),
    product_ids: z
      .array(ProductId)
      .max(SHOWN_PRODUCTS_MAX)
      .describe(
        'The products that were shown, in their order; empty when nothing was found. One that stands there twice was shown once.',
      ),
  })
  .meta({
    examples: [
      {
        event_id: '6f1c9f0e-54a7-4f0b-9d3c-0b7a5d1f2e44',
        occurred_at: '2026-03-01T12:00:00Z',
        session_id: 's-1',
        query: 'Desk lamp',
        product_ids: ['lamp', 'desk'],
      },
    ],
  })
export type Search = z.infer<typeof Search>

/** Items are unknown here, so that each is judged alone. */
export const RecordSearchesRequest = z.strictObject({
  searches: z
    .array(z.unknown().meta(itemSchemaOf(Search)))
    .min(1)
    .max(SEARCHES_MAX),
})
export type RecordSearchesRequest = z.infer<typeof RecordSearchesRequest>

/** A click on a product that a search showed. */
export const SearchClick = z
  .strictObject({
    event_id,
    occurred_at,
    query: Query.describe('What was searched for, in any spelling of the same.'),
    product_id: ProductId.describe('The product that was clicked.'),
    account_id,
    session_id,
  })
  .refine((click) => click.account_id !== undefined || click.session_id !== undefined, {
    error: 'account_id or session_id is needed',
    path: ['account_id'],
  })
  .meta({
    examples: [
      {
        event_id: 'a3c4f0be-8f7d-4a4e-b6a4-51f6a1f9c0d7',
        occurred_at: '2026-03-01T12:00:07Z',
        session_id: 's-1',
        query: 'Desk lamp',
        product_id: 'lamp',
      },
    ],
  })
export type SearchClick = z.infer<typeof SearchClick>

/** The interaction that a click is recorded as. */
export function interactionOf({ query, product_id, ...click }: SearchClick): Interaction {
  const metadata = { query: normalisedQuery(query) }
  return { ...click, event_type: SEARCH_CLICK, ref_type: 'Product', ref_id: product_id, metadata }
}

/** What one query led to. */
export const SearchQuery = z.object({
  query: z.string().describe('Normalised: Unicode NFKC, lower case, single spaces.'),
  searches: z.int().describe('How often it was searched for.'),
  found_nothing: z.int().describe('How many of these searches showed no product.'),
  clicks: z.int().describe('Interactions click_from_search with this text as metadata.query.'),
  click_through: z.number().describe('clicks ÷ searches; above 1 when a search led to several clicks.'),
})
export type SearchQuery = z.infer<typeof SearchQuery>

export const SEARCH_QUERY_FILTERS = ['all', 'found_nothing', 'no_click'] as const
export type SearchQueryFilter = (typeof SEARCH_QUERY_FILTERS)[number]

export const SearchQueriesRequest = z.strictObject({
  limit: wholeNumber(1, 100).default(20).describe('Queries of the page.'),
  days: wholeNumber(1, 90).default(7).describe('The window: the last so many times 24 hours before the first page.'),
  filter: z
    .enum(SEARCH_QUERY_FILTERS)
    .default('all')
    .describe(
      '`found_nothing`: queries that showed nothing at least once, those that did it most often first. `no_click`: queries that showed something, and nobody clicked.',
    ),
  cursor: z.string().min(1).max(2_000).optional().describe('meta.next_cursor of the page before, with the same days and filter.'),
})
export type SearchQueriesRequest = z.infer<typeof SearchQueriesRequest>

export const SearchQueriesResponse = z
  .object({
    data: z.array(SearchQuery),
    meta: z.object({
      from: z.iso.datetime().describe('The first instant of the window.'),
      to: z.iso.datetime().describe('Its end, which is not part of it; the same on every page.'),
      next_cursor: z.string().nullable().describe('Asks for the next page; null on the last.'),
    }),
  })
  .meta({
    examples: [
      {
        data: [{ query: 'desk lamp', searches: 4, found_nothing: 1, clicks: 1, click_through: 0.25 }],
        meta: { from: '2026-02-22T12:00:00.000Z', to: '2026-03-01T12:00:00.000Z', next_cursor: null },
      },
    ],
  })
export type SearchQueriesResponse = z.infer<typeof SearchQueriesResponse>
