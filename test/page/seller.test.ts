import { expect, test } from 'vitest'
import { textOf } from '../../src/page/template/html.ts'
import { type SellerPage, sellerView } from '../../src/page/views/seller.ts'
import { sellersView } from '../../src/page/views/sellers.ts'
import { wordsOf } from '../harness/items/page-words.ts'

const PAGE: SellerPage = {
  sellerId: 'north-light',
  days: '7',
  currency: undefined,
  isOwn: false,
  dashboard: {
    data: {
      summary: {
        ...{ total_revenue: 9_980, total_orders: 2, items_sold: 3, average_rating: null, pending_items: 1, pending_refunds: 0 },
        currency: 'EUR',
        comparison: { revenue_change: 50, orders_change: null, items_sold_change: -25 },
      },
      charts: {
        revenue: [
          { date: '2026-03-01', value: 0 },
          { date: '2026-03-02', value: 9_980 },
        ],
        orders: [
          { date: '2026-03-01', value: 0 },
          { date: '2026-03-02', value: 2 },
        ],
      },
      top_products: [{ product_id: 'lamp', name: 'Brass <lamp>', sold_count: 3, revenue: 9_980 }],
    },
    meta: {
      ...{ seller_id: 'north-light', start: '2026-03-01', end: '2026-03-02', granularity: 'day', time_zone: 'UTC' },
      currencies: ['EUR', 'USD'],
      generated_at: '2026-03-02T18:00:00.000Z',
    },
  },
  catalog: { error: { code: 'unavailable', message: 'the database does not answer; try again' } },
}

test('a seller is shown with the change against the days before, and amounts in the chosen currency', () => {
  const text = textOf(sellerView(PAGE))
  expect(wordsOf(text)).toContain('Revenue 99.80 EUR + 50 % against the 2 days before')
  expect(wordsOf(text)).toContain('Orders 2 nothing to compare with')
  expect(wordsOf(text)).toContain('Items sold 3 − 25 % against the 2 days before')
  expect(text).toContain('<option value="EUR" selected>EUR</option><option value="USD">USD</option>')
  expect(text).toContain('<data class="n" value="99.80" data-currency="EUR">99.80 EUR</data>')
  expect(text).toContain('<a href="/product/lamp">Brass &lt;lamp></a>')
  expect(wordsOf(text)).toContain('Catalog The database does not answer; try again.')
})

test('a caller of one seller gets no links to views that it may not open', () => {
  const text = textOf(sellerView({ ...PAGE, isOwn: true }))
  expect(text).not.toContain('href="/product')
  expect(wordsOf(text)).toContain('Brass &lt;lamp>')
})

test('the list of sellers leads to each, and an empty one says what to do', () => {
  const RANGE = { start: '2026-03-01', end: '2026-03-07' }
  const page = { days: '7', ...RANGE, cursor: undefined }
  const row = {
    seller_id: 'a/b',
    orders: 2,
    items_sold: 3,
    amounts: [{ currency: 'EUR', amount: 9_980, change: null }],
    products: 4,
    change: { orders: -50, items_sold: null },
  }
  const text = textOf(sellersView({ ...page, list: { data: [row], meta: { ...RANGE, next_cursor: 'next' } } }))
  expect(text).toContain('<a href="/sellers/a%2Fb">a/b</a>')
  expect(wordsOf(text)).toContain('a/b 99.80 EUR 2 − 50 % 3 4')
  expect(text).toContain('href="/sellers?days=7&amp;cursor=next"')
  expect(wordsOf(textOf(sellersView({ ...page, list: { data: [], meta: { ...RANGE, next_cursor: null } } })))).toContain(
    './footfall demo',
  )
})
