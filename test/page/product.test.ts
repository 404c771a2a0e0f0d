import { expect, test } from 'vitest'
import type { InteractionsResponse, LoggedInteraction } from '../../src/contract/interaction-log.ts'
import { textOf } from '../../src/page/template/html.ts'
import { type ProductPage, productView } from '../../src/page/views/product.ts'

const NONE = { error: { code: 'not_found' as const, message: 'the catalog never had it' } }

const EXPLANATION = {
  ...{ product_id: 'lamp', score: 1.4, trending_score: 1.385, as_of: '2026-03-01T13:00:00.000Z', weights_version: 3 },
  ...{ half_life_hours: 72, trending_from: '2026-02-22T12:00:00.000Z' },
  event_types: [
    { event_type: 'add_to_cart', count: 2, weight: 0.8, score: 1.6, trending_count: 2, trending_score: 1.5 },
    { event_type: 'view_bounce', count: 2, weight: -0.1, score: -0.2, trending_count: 2, trending_score: -0.115 },
    { event_type: 'quick_view', count: 5, weight: null, score: 0, trending_count: 5, trending_score: 0 },
  ],
}

const COUNTED = {
  ...{
    product_id: 'lamp',
    score: 1.4,
    trending_score: 1.385,
    view_count: 2,
    cart_count: 2,
    purchase_count: 3,
    favorite_count: 0,
  },
  ...{ review_count: 0, search_count: 0, search_click_count: 0 },
  ...{ last_interaction: '2026-03-01T12:00:00.000Z', date_updated: '2026-03-01T12:00:00.000Z' },
}

const EVENT = {
  ...{ event_id: 'e-1', occurred_at: '2026-03-01T12:58:00.000Z', event_type: 'view', session_id: 's-1', account_id: null },
  recorded_at: '2026-03-01T12:58:01.000Z',
} as LoggedInteraction

const PAGE: ProductPage = {
  productId: 'lamp',
  hours: 168,
  nowMs: Date.parse('2026-03-01T13:00:00Z'),
  popularity: NONE,
  explanation: { data: EXPLANATION },
  catalog: {
    data: {
      ...{ product_id: 'lamp', name: 'Brass lamp', category: 'light & air', price: 4_990, currency: 'EUR', quantity: -2 },
      ...{ status: 'hidden', updated_at: '2026-03-01T12:00:00.000Z' },
    },
  },
  series: {
    data: [{ product_id: 'lamp', counts: [3, 1], event_types: { add_to_cart: [2, 0] } }],
    meta: { from: '2026-02-28T23:00:00.000Z', to: '2026-03-01T01:00:00.000Z', step: 'hour' },
  },
  places: [
    { mode: 'trending', place: 4 },
    { mode: 'rising', place: null },
  ],
  placesMax: 100,
  similar: { data: [], meta: { kind: 'similar', strategy: 'similarity', similarity_version: 1, is_partial: false } },
  events: { data: [EVENT], meta: { next_cursor: null } as InteractionsResponse['meta'] },
}

const words = (text: string) =>
  text
    .replaceAll(/<[^>]*>/g, ' ')
    .replaceAll(/\s+/g, ' ')
    .trim()

test('the score is explained by what each event type adds, in the numbers of the API', () => {
  const text = textOf(productView(PAGE))
  expect(words(text)).toContain('Each event adds the weight of its type: together 1.4 .')
  expect(words(text)).toContain('an event loses half of its weight every 72 hours.')
  expect(words(text)).toMatch(/Add to cart 2 0.80 1.60 .*View bounce 2 -0.10 -0.20 .*Quick view 5 – none 0.00/)
  expect(text).toContain('<data class="n" value="-0.2" data-digits="2">')
  expect(words(text)).toContain('Weights of version 3.')
})

test('a number that adds up several event types says so', () => {
  const event = (event_type: string, count: number) => ({
    event_type,
    count,
    weight: 0,
    score: 0,
    trending_count: 0,
    trending_score: 0,
  })
  const explanation = {
    data: {
      ...EXPLANATION,
      event_types: [event('view', 936), event('view_bounce', 39), event('add_to_cart', 506), event('remove_from_cart', 28)],
    },
  }
  const popularity = { data: { ...COUNTED, view_count: 975, cart_count: 534 } }
  expect(words(textOf(productView({ ...PAGE, popularity, explanation })))).toContain(
    'Views 975 of which 39 bounced Cart events 534 of which 28 removed it Orders 3',
  )
  const text = words(textOf(productView({ ...PAGE, popularity, explanation: NONE })))
  expect(text).toContain('Views 975 Cart events 534 Orders 3')
})

test('the catalog, the places, the events and the chart stand beside each other', () => {
  const text = textOf(productView(PAGE))
  expect(words(text)).toContain('Brass lamp lamp hidden')
  expect(text).toContain('<data class="n" value="49.90" data-currency="EUR">49.90 EUR</data>')
  expect(text).toContain('href="/products?category=light+%26+air"')
  expect(words(text)).toContain('-2 sold out')
  expect(words(text)).toContain('Trending 4 Rising after 100')
  expect(words(text)).toContain('2 min ago View s-1')
  expect(text).toContain('<time datetime="2026-03-01T00:00:00.000Z" data-form="instant">2026-03-01 00:00 UTC</time>')
})

test('what a caller may not read is left out, and what is unknown says what to do', () => {
  const text = textOf(productView({ ...PAGE, catalog: NONE, series: undefined, events: undefined }))
  expect(words(text)).not.toContain('Latest events')
  expect(words(text)).toContain('Send it to POST /api/v1/catalog/products .')
  expect(words(text)).toContain('No event of the product was counted yet.')
})
