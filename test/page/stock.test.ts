import { expect, test } from 'vitest'
import { textOf } from '../../src/page/template/html.ts'
import { stockView } from '../../src/page/views/stock.ts'
import { wordsOf } from '../harness/items/page-words.ts'

test('a product that became low has its name, and is sold out without items', () => {
  const crossing = (product_id: string, is_low: boolean, quantity: number | null) => ({
    ...{ product_id, is_low, quantity, quantity_before: 12, crossed_at: '2026-03-01T12:00:00.000Z' },
  })
  const crossings = [
    { ...crossing('lamp', true, 0), name: 'Brass lamp' },
    { ...crossing('desk', true, 3), name: 'Oak desk' },
    { ...crossing('sofa', false, 30), name: 'Sofa' },
    crossing('gone', true, null),
  ]
  const text = textOf(
    stockView({
      ...{ nowMs: Date.parse('2026-03-01T12:00:30Z'), done: undefined, sellers: [], categories: [], alerts: undefined },
      low: { data: { low_stock_count: 0, low_stock_below: 10, last_updated: null, products: [], crossings } },
      deliveries: undefined,
    }),
  )
  expect(text).toContain('<a href="/product/lamp">Brass lamp</a>')
  expect(wordsOf(text)).toContain(
    'Brass lamp sold out 0 30 s ago Oak desk low 3 30 s ago Sofa enough 30 30 s ago gone low – none',
  )
})
