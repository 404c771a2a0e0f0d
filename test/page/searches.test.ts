import { expect, test } from 'vitest'
import type { ListedSearchQuery, SearchQueryFilter } from '../../src/contract/search.ts'
import { searchesView } from '../../src/page/views/searches.ts'
import { textOf } from '../../src/page/template/html.ts'
import { wordsOf } from '../harness/items/page-words.ts'

const META = { from: '2026-02-22T12:00:00.000Z', to: '2026-03-01T12:00:00.000Z', next_cursor: null }
const LAMP = { product_id: 'lamp', name: 'Brass <lamp>', status: 'active' as const }

const query = (text: string, products: ListedSearchQuery['products']): ListedSearchQuery => ({
  ...{ query: text, searches: 4, found_nothing: 0, clicks: 0, click_through: 0, products },
  change: { searches: null, clicks: null },
})

const shown = (filter: SearchQueryFilter, ...data: ListedSearchQuery[]) =>
  textOf(searchesView({ filter, days: '7', cursor: undefined, list: { data, meta: META } }))

test('products that were clicked have their names, and those that were only shown are left out', () => {
  const text = shown(
    'all',
    query('light', [
      { product_id: 'lamp', searches: 3, clicks: 2, product: LAMP },
      { product_id: 'gone', searches: 3, clicks: 1, product: null },
      { product_id: 'desk', searches: 4, clicks: 0, product: null },
    ]),
    query('gift', [{ product_id: 'sofa', searches: 4, clicks: 0 }]),
  )
  expect(text).toContain('<a href="/product/lamp">Brass &lt;lamp></a>, <a href="/product/gone">gone</a></td>')
  expect(text).not.toContain('/product/desk')
  expect(text).not.toContain('/product/sofa')
})

test('lists of searches without a click have no column for clicked products', () => {
  expect(wordsOf(shown('all', query('gift', [])))).toContain('Most clicked')
  for (const filter of ['found_nothing', 'no_click'] as const)
    expect(wordsOf(shown(filter, query('gift', [])))).not.toContain('Most clicked')
})
