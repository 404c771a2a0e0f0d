import { z } from 'zod'
import { handler } from './handler.ts'
import { hasOneIdentity, Interaction, RecordedOrWaiting, TWO_IDENTITIES } from './interaction.ts'
import { jsonSchemaOf, uncheckedItems } from './fields/item-schema.ts'
import { NextCursor, pageCursor, pageLimit } from './fields/page.ts'
import { storableText } from './fields/text.ts'
import { wholeNumber } from './fields/whole-number.ts'
import { Id, ProductId } from './fields/id.ts'
import { listedProductOptions, ProductBeside } from './product.ts'

export const QUERY_CHARACTERS_MAX = 200
/** The products of a page of results. */
export const SHOWN_PRODUCTS_MAX = 100
/** So many searches, each with the most products, take about as long to count as the largest batch of interactions. */
export const SEARCHES_MAX = 200
/** The event type that is counted for each product that a search showed. Interactions of this type are counted as well. */
export const SEARCH_IMPRESSION = 'search_impression'
export const SEARCH_CLICK = 'click_from_search'

/**
 * The text under which a query is counted: "  Red\tLAMP " and "red lamp" are the same. Unicode NFKC, then lower case, then NFKC
 * again because lower case can undo it. Blanks at the ends are dropped, and others become one space each. Cut to the length limit
 * of a query, because one character may become eighteen.
 */
export function normalisedQuery(query: string): string {
  const words = query.normalize('NFKC').toLowerCase().normalize('NFKC').split(/\s+/).filter(Boolean)
  return Array.from(words.join(' ')).slice(0, QUERY_CHARACTERS_MAX).join('').trim()
}

const Query = storableText(QUERY_CHARACTERS_MAX)
  .refine((query) => normalisedQuery(query) !== '', { error: 'must not be blank' })
  .meta({ pattern: String.raw`^[^\u0000]*[^\s\u0000][^\u0000]*$` })

const { event_id, event_key, occurred_at, sent_at, account_id, session_id } = Interaction.shape

/** As it was sent: a wrong one is left out of the event, with a warning, and does not refuse the request. */
const UNCHECKED_SENT_AT = z.unknown().meta(jsonSchemaOf(sent_at)).optional()

const searchWith = <SentAt extends z.ZodType>(sentAt: SentAt) =>
  z
    .strictObject({
      event_id,
      event_key,
      occurred_at,
      sent_at: sentAt,
      query: Query.describe('As the shopper typed it.'),
      account_id: Id.optional().describe('The shopper, if signed in.'),
      session_id: Id.optional().describe('The visit of the shopper.'),
      product_ids: z
        .array(ProductId)
        .max(SHOWN_PRODUCTS_MAX)
        .describe('The products that were shown, in their order; empty if nothing was found. A repeated product counts once.'),
    })
    .refine(hasOneIdentity, TWO_IDENTITIES)
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

/** A search with the products that it showed. */
export const Search = searchWith(sent_at)
export type Search = z.infer<typeof Search>

/** The request to record one search. */
export const RecordSearchRequest = searchWith(UNCHECKED_SENT_AT)

export const RecordSearchesRequest = z.strictObject({
  searches: uncheckedItems(Search, SEARCHES_MAX),
})
export type RecordSearchesRequest = z.infer<typeof RecordSearchesRequest>

const clickWith = <SentAt extends z.ZodType>(sentAt: SentAt) =>
  z
    .strictObject({
      event_id,
      event_key,
      occurred_at,
      sent_at: sentAt,
      query: Query.describe('The query that showed the product; spellings with the same normalised text are equal.'),
      product_id: ProductId.describe('The product that was clicked.'),
      account_id,
      session_id,
    })
    .refine((click) => click.account_id !== undefined || click.session_id !== undefined, {
      error: 'account_id or session_id is needed',
      path: ['account_id'],
    })
    .refine(hasOneIdentity, TWO_IDENTITIES)
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

/** A click on a product that a search showed. */
export const SearchClick = clickWith(sent_at)
export type SearchClick = z.infer<typeof SearchClick>

/** The request to record one click. */
export const RecordSearchClickRequest = clickWith(UNCHECKED_SENT_AT)

/** The interaction as which a click is recorded. */
export function interactionOf<Click extends z.infer<typeof RecordSearchClickRequest>>({ query, product_id, ...click }: Click) {
  const metadata = { query: normalisedQuery(query) }
  return { ...click, event_type: SEARCH_CLICK, ref_type: 'Product' as const, ref_id: product_id, metadata }
}

/** The results of one query. */
export const SearchQuery = z.object({
  query: z.string().describe('Normalised: Unicode NFKC, lower case, single spaces.'),
  searches: z.int().describe('Number of searches.'),
  found_nothing: z.int().describe('Searches that showed no product.'),
  clicks: z.int().describe('Interactions click_from_search with this text as metadata.query.'),
  click_through: z.number().describe('clicks ÷ searches; above 1 if a search led to several clicks.'),
})
export type SearchQuery = z.infer<typeof SearchQuery>

export const QUERY_PRODUCTS_MAX = 5

const Change = z.number().nullable()

/** A query with what it led to. */
export const ListedSearchQuery = SearchQuery.extend({
  products: z
    .array(
      z.object({
        product_id: z.string(),
        searches: z.int().describe('Searches with this query that showed it.'),
        clicks: z.int().describe('Clicks on it after this query.'),
        product: ProductBeside,
      }),
    )
    .describe(`Its products with the most clicks, then those it showed most often; at most ${QUERY_PRODUCTS_MAX}.`),
  change: z
    .object({ searches: Change, clicks: Change })
    .describe('Against the window before, in percent to a tenth; null where that had none.'),
})
export type ListedSearchQuery = z.infer<typeof ListedSearchQuery>

export const SEARCH_QUERY_FILTERS = ['all', 'found_nothing', 'no_click'] as const
export type SearchQueryFilter = (typeof SEARCH_QUERY_FILTERS)[number]

export const SearchQueriesRequest = z.strictObject({
  limit: pageLimit(20, 'Queries of the page.'),
  days: wholeNumber(1, 90).default(7).describe('The window: so many times 24 hours before the first page.'),
  filter: z
    .enum(SEARCH_QUERY_FILTERS)
    .default('all')
    .describe(
      '`found_nothing`: queries that showed nothing at least once, ordered by how often. `no_click`: queries that showed products and got no click.',
    ),
  cursor: pageCursor('meta.next_cursor of the previous page, with the same days and filter.'),
  expand: listedProductOptions.expand.describe(
    'product: each product of a query comes with its name, category, brand, price, quantity and status.',
  ),
})
export type SearchQueriesRequest = z.infer<typeof SearchQueriesRequest>

export const SearchQueriesResponse = z
  .object({
    data: z.array(ListedSearchQuery),
    meta: z.object({
      from: z.iso.datetime().describe('The first instant of the window.'),
      to: z.iso.datetime().describe('The end of the window, which is excluded; the same on every page.'),
      next_cursor: NextCursor,
    }),
  })
  .meta({
    examples: [
      {
        data: [
          {
            ...{ query: 'desk lamp', searches: 4, found_nothing: 1, clicks: 1, click_through: 0.25 },
            products: [
              { product_id: 'lamp', searches: 3, clicks: 1 },
              { product_id: 'desk', searches: 2, clicks: 0 },
            ],
            change: { searches: 33.3, clicks: null },
          },
        ],
        meta: { from: '2026-02-22T12:00:00.000Z', to: '2026-03-01T12:00:00.000Z', next_cursor: null },
      },
    ],
  })
export type SearchQueriesResponse = z.infer<typeof SearchQueriesResponse>

export const searchHandlers = {
  RecordSearch: handler({
    input: RecordSearchRequest,
    output: RecordedOrWaiting,
    description: 'Records a search once and counts the products that it showed. Answers as for a batch of one.',
  }),
  RecordSearches: handler({
    input: RecordSearchesRequest,
    output: RecordedOrWaiting,
    description: 'The same for up to 200 searches. Each is checked alone.',
  }),
  RecordSearchClick: handler({
    input: RecordSearchClickRequest,
    output: RecordedOrWaiting,
    description: 'Records a click on a product that a search showed, as an interaction click_from_search.',
  }),
}
