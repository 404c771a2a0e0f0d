import fc from 'fast-check'
import { expect } from 'vitest'
import {
  type ListedSearchQuery,
  normalisedQuery,
  SEARCH_CLICK,
  SEARCH_QUERY_FILTERS,
  type SearchQuery,
  type SearchQueryFilter,
} from '../../src/contract/search.ts'
import { DAY_MS } from '../../src/contract/fields/time.ts'
import { encodeCursor } from '../../src/store/database/cursor.ts'
import { searchQueries, searchQueryPositionOf } from '../../src/store/log/search-query.ts'
import { clear } from '../harness/servers/database.ts'
import { interaction, record, recordNewSearches, search } from '../harness/items/events.ts'
import { pgTest as test } from '../harness/fixtures.ts'
import type { Database } from '../../src/store/database/connection.ts'
import type { NewInteraction } from '../../src/admission/interaction.ts'
import type { NewSearch } from '../../src/admission/search.ts'

const TO_MS = Date.parse('2026-03-10T12:00:00Z')
const DAYS = 7
const QUERIES = ['lamp', 'Lamp ', 'DESK', 'desk', 'ä', 'z', '🛒', "it's", 'Z']

/** Instants within the window and on its edges. */
const instants = fc.oneof(
  fc.integer({ min: TO_MS - 15 * DAY_MS, max: TO_MS + DAY_MS }),
  fc.constantFrom(TO_MS - DAYS * DAY_MS, TO_MS - DAYS * DAY_MS - 1, TO_MS, TO_MS - 1),
)
const searches = fc.array(
  fc
    .record({
      occurredAtMs: instants,
      query: fc.constantFrom(...QUERIES),
      productIds: fc.constantFrom<string[][]>([], ['p'], ['p', 'q']),
      eventId: fc.uuid(),
    })
    .map((changes) => search(changes)),
  { maxLength: 40 },
)
const clicks = fc.array(
  fc
    .record({
      occurredAtMs: instants,
      eventType: fc.constantFrom(SEARCH_CLICK, SEARCH_CLICK, 'view'),
      refId: fc.constantFrom('p', 'r'),
      metadata: fc.option(
        fc.constantFrom(...QUERIES, 'never searched').map((query) => ({ query: normalisedQuery(query) })),
        { nil: undefined },
      ),
      eventId: fc.uuid(),
    })
    .map((changes) => interaction(changes)),
  { maxLength: 15 },
)

/** What a query led to, counted product by product, and how often it was asked before. */
function expectedDetails(
  { query, searches: asked, clicks: clicked }: SearchQuery,
  allSearches: readonly NewSearch[],
  allClicks: readonly NewInteraction[],
): Pick<ListedSearchQuery, 'products' | 'change'> {
  const within = (daysAgo: number) => (one: { occurredAtMs: number }) =>
    one.occurredAtMs >= TO_MS - daysAgo * DAY_MS && one.occurredAtMs < TO_MS - (daysAgo - DAYS) * DAY_MS
  const isClick = (one: NewInteraction) =>
    one.eventType === SEARCH_CLICK && (one.metadata as { query: string } | undefined)?.query === query
  const own = allSearches.filter((one) => one.normalisedQuery === query)
  const ownClicks = allClicks.filter(isClick)
  const products = ['p', 'q', 'r'].map((product_id) => ({
    product_id,
    searches: own.filter(within(DAYS)).filter(({ productIds }) => productIds.includes(product_id)).length,
    clicks: ownClicks.filter(within(DAYS)).filter(({ refId }) => refId === product_id).length,
  }))
  const percent = (now: number, before: number) => (before === 0 ? null : Math.round((1_000 * (now - before)) / before) / 10)
  return {
    products: products
      .filter((one) => one.searches + one.clicks > 0)
      .toSorted((one, other) => other.clicks - one.clicks || other.searches - one.searches),
    change: {
      searches: percent(asked, own.filter(within(2 * DAYS)).length),
      clicks: percent(clicked, ownClicks.filter(within(2 * DAYS)).length),
    },
  }
}

/** The expected list: each query is counted by itself. */
function expected(
  allSearches: readonly NewSearch[],
  allClicks: readonly NewInteraction[],
  filter: SearchQueryFilter,
): ListedSearchQuery[] {
  const isInside = ({ occurredAtMs }: { occurredAtMs: number }) => occurredAtMs >= TO_MS - DAYS * DAY_MS && occurredAtMs < TO_MS
  const inside = allSearches.filter(isInside)
  const rows = [...new Set(inside.map(({ normalisedQuery: query }) => query))].map((query) => {
    const own = inside.filter((one) => one.normalisedQuery === query)
    const found_nothing = own.filter(({ productIds }) => productIds.length === 0).length
    const own_clicks = allClicks.filter(
      (one) =>
        isInside(one) && one.eventType === SEARCH_CLICK && (one.metadata as { query: string } | undefined)?.query === query,
    ).length
    const row = { query, searches: own.length, found_nothing, clicks: own_clicks, click_through: own_clicks / own.length }
    return { ...row, ...expectedDetails(row, allSearches, allClicks) }
  })
  const kept = rows.filter((row) => {
    if (filter === 'found_nothing') return row.found_nothing > 0
    return filter === 'all' || (row.clicks === 0 && row.searches > row.found_nothing)
  })
  const rank = (row: ListedSearchQuery) => (filter === 'found_nothing' ? row.found_nothing : row.searches)
  const byBytes = (one: string, other: string) => Buffer.compare(Buffer.from(one), Buffer.from(other))
  return kept.sort((one, other) => rank(other) - rank(one) || byBytes(one.query, other.query))
}

async function allPages(db: Database, limit: number, filter: SearchQueryFilter): Promise<ListedSearchQuery[]> {
  const all: ListedSearchQuery[] = []
  let from: ReturnType<typeof searchQueryPositionOf> = undefined
  for (;;) {
    const page = await searchQueries(db, { limit, days: DAYS, filter, toMs: TO_MS, after: undefined, ...from })
    expect(page.meta).toMatchObject({ from: '2026-03-03T12:00:00.000Z', to: '2026-03-10T12:00:00.000Z' })
    all.push(...page.data)
    if (page.meta.next_cursor === null) return all
    expect(page.data).toHaveLength(limit)
    from = searchQueryPositionOf(page.meta.next_cursor, { days: DAYS, filter })
    expect(from).toBeDefined()
  }
}

test(
  'the list equals counting each query by itself, with every filter and on pages of any size',
  { timeout: 60_000 },
  async ({ db }) => {
    await fc.assert(
      fc.asyncProperty(searches, clicks, fc.integer({ min: 1, max: 10 }), async (someSearches, someClicks, limit) => {
        await clear(db)
        await recordNewSearches(db, someSearches)
        await record(db, someClicks)
        for (const filter of SEARCH_QUERY_FILTERS) {
          expect(await allPages(db, limit, filter)).toEqual(expected(someSearches, someClicks, filter))
        }
      }),
      { numRuns: 25 },
    )
  },
)

test('a cursor is valid for one filter and one window, and an invented cursor is invalid', async ({ db }) => {
  await clear(db)
  await recordNewSearches(
    db,
    ['a', 'b'].map((query) => search({ query, occurredAtMs: TO_MS - 1 })),
  )
  const { meta } = await searchQueries(db, { limit: 1, days: DAYS, filter: 'all', toMs: TO_MS, after: undefined })
  const cursor = meta.next_cursor!
  expect(searchQueryPositionOf(cursor, { days: DAYS, filter: 'all' })).toEqual({ toMs: TO_MS, after: { ranked: 1, query: 'a' } })
  expect(searchQueryPositionOf(cursor, { days: 8, filter: 'all' })).toBeUndefined()
  expect(searchQueryPositionOf(cursor, { days: DAYS, filter: 'no_click' })).toBeUndefined()
  for (const made of [
    ['all', '7', 'x', '1', 'a'],
    ['all', '7', String(TO_MS), '1.5', 'a'],
    ['all', '7', String(TO_MS), '1'],
  ]) {
    expect(searchQueryPositionOf(encodeCursor('search queries', made), { days: DAYS, filter: 'all' })).toBeUndefined()
  }
  expect(searchQueryPositionOf(encodeCursor('top', ['1', 'a']), { days: DAYS, filter: 'all' })).toBeUndefined()
})
