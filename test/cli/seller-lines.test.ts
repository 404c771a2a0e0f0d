import { describe, expect, test } from 'vitest'
import type { SellerDashboardResponse } from '../../src/contract/seller-dashboard.ts'
import { DAY_MS, instantOf } from '../../src/contract/fields/time.ts'
import { barsOf } from '../../src/cli/seller/bars.ts'
import { cutTo, spacesTo, widthOf } from '../../src/cli/terminal/cells.ts'
import { linesOf } from '../../src/cli/seller/lines.ts'
import { moneyIn } from '../../src/cli/terminal/money.ts'
import { harmless } from '../../src/cli/terminal/harmless.ts'

interface Shown {
  revenue: number[]
  columns?: number
  names?: (string | null)[]
}

function textOf({ revenue, columns = 80, names = [] }: Shown): string[] {
  const dateOf = (n: number) => instantOf(Date.parse('2026-01-01') + n * DAY_MS).slice(0, 10)
  const pointsOf = (values: number[]) => values.map((value, n) => ({ date: dateOf(n), value }))
  const dashboard: SellerDashboardResponse = {
    data: {
      summary: {
        total_revenue: 123_450,
        total_orders: 1_234,
        items_sold: 7,
        average_rating: 4.5,
        pending_items: 3,
        pending_refunds: 0,
        currency: 'EUR',
        comparison: { revenue_change: 12.34, orders_change: -5, items_sold_change: null },
      },
      charts: { revenue: pointsOf(revenue), orders: pointsOf(revenue.map(() => 1)) },
      top_products: names.map((name, n) => ({ product_id: `p${n}`, name, sold_count: 10 - n, revenue: 100 })),
    },
    meta: {
      seller_id: 'north-light',
      start: dateOf(0),
      end: dateOf(revenue.length - 1),
      granularity: 'day',
      time_zone: 'Europe/Berlin',
      currencies: ['EUR', 'USD', 'JPY'],
      generated_at: '2026-03-01T00:00:00.000Z',
    },
  }
  return linesOf(dashboard, columns).map(({ text }) => text)
}

test('a dashboard has a summary, a chart and the best products', () => {
  expect(textOf({ revenue: [0, 1_000, -500, 5], columns: 60, names: ['Brass lamp', '台灯'] })).toEqual([
    'north-light',
    '2026-01-01 to 2026-01-04 (4 days, Europe/Berlin)',
    '',
    'Revenue          €1,234.50  ▲ 12.3 %',
    'Orders               1,234  ▼ 5 %',
    'Items sold               7',
    'Rating                4.50',
    'Pending items            3',
    'Pending refunds          0',
    '▲▼ against the 4 days before',
    'Other currencies of this seller (--currency): USD, JPY',
    '',
    'day                                         revenue  orders',
    '2026-01-01            │                       €0.00       1',
    '2026-01-02            │███████████████████   €10.00       1',
    '2026-01-03  ▐█████████│                      -€5.00       1',
    '2026-01-04            │▏                      €0.05       1',
    '',
    'best products    sold  revenue',
    'Brass lamp (p0)    10    €1.00',
    '台灯 (p1)           9    €1.00',
  ])
})

test.each([40, 60, 80, 200])('no line is longer than the %i columns of the terminal', (columns) => {
  const names = ['灯'.repeat(300), 'x'.repeat(1_000), null, '👩‍🚀'.repeat(80)]
  const lines = textOf({ revenue: Array.from({ length: 30 }, (_, n) => (n - 10) * 1_000_000), columns, names })
  for (const line of lines.slice(12)) expect(widthOf(line)).toBeLessThanOrEqual(columns)
})

test('a long range is drawn on at most 60 lines with all of its values', () => {
  const lines = textOf({ revenue: Array.from({ length: 1_000 }, () => 100) })
  const chart = lines.slice(lines.findIndex((line) => line.startsWith('17 days')) + 1)
  expect(chart).toHaveLength(59)
  expect(chart[0]).toMatch(/^2026-01-01 .* €17\.00 +17$/)
  const orders = chart.map((line) => Number(line.split(/\s+/).at(-1)))
  expect(orders.reduce((sum, count) => sum + count, 0)).toBe(1_000)
})

test('no name or id reaches the terminal as a control sequence', () => {
  const lines = textOf({ revenue: [1], names: ['a\u001B[31mb\u009B2J\r\nc\u2028d\u202Ee\u0000', '\u001B]0;title\u0007'] })
  // oxlint-disable-next-line no-control-regex -- They are what is looked for.
  for (const line of lines) expect(line).not.toMatch(/[\u0000-\u001F\u007F-\u009F\u2028\u2029\u202A-\u202E\u2066-\u2069]/)
  expect(lines.find((line) => line.includes('p0'))).toContain(String.raw`a\u001b[31mb\u009b2J\r\nc\u2028d\u202ee\u0000 (p0)`)
})

describe('bars', () => {
  test('the longest bar fills the columns, and others their share in eighths', () => {
    expect(barsOf([80, 40, 5, 0], 8)).toEqual(['████████', '████', '▌', ''])
  })

  test('a tiny value is still visible', () => {
    expect(barsOf([1_000_000, 1, -1], 20).map((bar) => bar.trim())).toEqual([`│${'█'.repeat(18)}`, '│▏', '▕│'])
  })

  test('only negative values go to the left, on the common scale', () => {
    expect(barsOf([-30, -15, 0], 10)).toEqual(['████████│', '    ████│', '        │'])
    expect(barsOf([0, 0], 10)).toEqual(['', ''])
  })
})

test.each([
  ['EUR', 123_456, '€1,234.56'],
  ['EUR', -5, '-€0.05'],
  ['JPY', 1_234, '¥1,234'],
  ['KWD', 1_234, 'KWD\u00A01.234'],
  ['IQD', 1_234, 'IQD\u00A01.234'],
  ['HUF', 1_234, 'HUF\u00A012.34'],
  ['USD', Number.MAX_SAFE_INTEGER, '$90,071,992,547,409.91'],
])('amounts have the decimals of their currency: %s %i', (currency, minorUnits, text) => {
  expect(moneyIn(currency)(minorUnits)).toBe(text)
})

test.each([
  ['abc', 3],
  ['é', 1],
  ['e\u0301', 1],
  ['台灯', 4],
  ['한글', 4],
  ['👩‍🚀', 2],
  ['⭐', 2],
  ['a\u200Bb', 2],
])('%s has the width that a terminal shows', (text, width) => {
  expect(widthOf(text)).toBe(width)
  expect(spacesTo(10, text)).toBe(' '.repeat(10 - width))
  expect(cutTo(text, width)).toBe(text)
  if (!text.includes('\u200B')) expect(harmless(text)).toBe(text)
})

test('a text that is too wide is cut between characters', () => {
  expect(cutTo('台灯台灯', 5)).toBe('台灯…')
  expect(cutTo('台灯台灯', 4)).toBe('台…')
  expect(cutTo('👩‍🚀👩‍🚀', 3)).toBe('👩‍🚀…')
})
