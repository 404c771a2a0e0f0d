import { expect, test } from 'vitest'
import type { PopularResponse } from '../../src/contract/popular-list.ts'
import { type HotNow, hotNowView } from '../../src/page/views/hot-now.ts'
import { textOf } from '../../src/page/template/html.ts'

const product = (product_id: string, trending_score: number) => ({
  ...{ product_id, score: 12.25, trending_score, view_count: 1_234, purchase_count: 1, favorite_count: 0, cart_count: 2 },
  ...{ review_count: 0, search_count: 0, search_click_count: 0 },
  ...{ last_interaction: '2026-03-01T12:00:00.000Z', date_updated: '2026-03-01T12:00:00.000Z' },
})

const LIST: PopularResponse = {
  data: [product('lamp', 9.5), product('<script>', 3)],
  meta: { mode: 'trending', time_window_days: null, as_of: null, generated_at: '2026-03-01T12:00:00.000Z', next_cursor: 'c' },
}

const shown = (changes: Partial<HotNow> = {}) =>
  textOf(
    hotNowView({
      query: { mode: 'trending' },
      list: LIST,
      firstRank: 1,
      hourAgo: new Map([['lamp', 4]]),
      dayAgo: undefined,
      series: new Map([['lamp', [0, 3, 1]]]),
      lostSearches: [{ query: 'desk <b>lamp</b>', found_nothing: 7 }],
      ...changes,
    }),
  )

/** What a reader sees. */
const words = (text: string) =>
  text
    .replaceAll(/<[^>]*>/g, ' ')
    .replaceAll(/\s+/g, ' ')
    .trim()

test('a product has its rank, its change, its numbers and its hours', () => {
  const text = shown()
  expect(words(text)).toContain('1 ▲ up 3 – none lamp 9.5 1 234')
  expect(text).toContain('<data class="n" value="1234">')
  expect(text).toContain('aria-label="Events of lamp in each of the last 24 hours"')
  expect(text).toContain('href="/product/lamp"')
})

test('columns that add up several event types say so', () => {
  expect(shown()).toContain('<abbr title="Views, also those that bounced">Views</abbr>')
  expect(shown({ query: { mode: 'most_carted' } })).toContain(
    '<abbr title="Times that it was put in a cart, or removed from one">Carts</abbr>',
  )
})

test('what is not in the list of an hour ago is new', () => {
  expect(shown({ hourAgo: new Map() })).toContain('<span class="change new">new</span>')
})

test('ids and queries are text, whatever they contain', () => {
  const text = shown()
  expect(text).not.toContain('<script>')
  expect(text).toContain('desk &lt;b>lamp')
  expect(text).toContain('href="/product/%3Cscript%3E"')
})

test('a list that is refused is a sentence, and the rest stands', () => {
  const text = shown({ list: { error: { code: 'invalid_request', message: 'as_of: is not a time' } } })
  expect(words(text)).toContain('As_of: is not a time.')
  expect(text).toContain('Searched without finding')
})

test('an empty shop says how to fill it, and an empty filter how to leave it', () => {
  const none = { ...LIST, data: [] }
  expect(words(shown({ list: none }))).toContain('Run ./footfall demo')
  expect(words(shown({ list: none, query: { mode: 'rising' } }))).toContain('again every 30 minutes')
  expect(shown({ list: none, query: { mode: 'rising', category_ids: 'lamps' } })).toContain('href="/?mode=rising"')
})

test('the next page keeps the filters, and a caller without the scope sees no searches', () => {
  const text = shown({ query: { mode: 'most_viewed', time_window_days: '7' }, lostSearches: undefined })
  expect(text).toContain('href="/?mode=most_viewed&amp;time_window_days=7&amp;from=3&amp;cursor=c"')
  expect(text).not.toContain('without finding')
})
