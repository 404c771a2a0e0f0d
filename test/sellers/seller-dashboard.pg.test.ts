import fc from 'fast-check'
import { sql } from 'kysely'
import { expect } from 'vitest'
import {
  BUCKETS_MAX,
  GRANULARITIES,
  SellerDashboardRequest,
  SellerDashboardResponse,
  TOP_PRODUCTS,
} from '../../src/contract/seller-dashboard.ts'
import { DAY_MS, HOUR_MS, instantOf, millisecondsOf } from '../../src/contract/fields/time.ts'
import { sellerDashboard } from '../../src/store/sellers/seller-dashboard.ts'
import { clearSales, type Line, saleLine, storeSales } from '../harness/items/sales.ts'
import { changed, expectedDashboard, expectRounded, expectSame } from '../harness/reference/seller-dashboard.ts'
import { pgTest as test } from '../harness/fixtures.ts'
import type { Database } from '../../src/store/database/connection.ts'

test.beforeEach(({ db }) => clearSales(db))

const NOW_MS = millisecondsOf('2026-03-15T12:00:00Z')

async function dashboardOf(db: Database, sellerId: string, asked: Partial<SellerDashboardRequest>, nowMs = NOW_MS) {
  const { seller_id: _, ...request } = SellerDashboardRequest.parse(asked)
  return SellerDashboardResponse.parse(await sellerDashboard(db, sellerId, request, { nowMs, pendingDays: 30 }))
}

/** Time zones, each with a day near a change of its clocks. */
const PLACES = [
  ['UTC', '2024-02-29'],
  ['Etc/UTC', '2024-02-29'],
  // Forward at midnight, so that the day has no midnight.
  ['America/Sao_Paulo', '2017-10-15'],
  // Back at midnight, into the day before.
  ['America/Sao_Paulo', '2018-02-18'],
  ['Europe/Berlin', '2026-03-29'],
  ['Europe/Berlin', '2025-10-26'],
  ['Asia/Kathmandu', '2026-01-01'],
  // By 30 minutes.
  ['Australia/Lord_Howe', '2026-04-05'],
  ['America/Havana', '2026-03-08'],
  ['America/Havana', '2025-11-02'],
  // 30 December was skipped.
  ['Pacific/Apia', '2011-12-31'],
  // Back one minute after midnight, into the day before: the day begins with a single minute.
  ['America/St_Johns', '2010-11-07'],
] as const

const SELLERS = ['a', 'b']
const CURRENCIES = ['EUR', 'USD', 'JPY']
const PRODUCTS = ['p1', 'p2', 'p3', 'Ünïcode 🛒', 'not in the catalogue']

const aroundArbitrary = (day: string) =>
  fc
    .oneof(
      fc.integer({ min: -3 * 48, max: 3 * 48 }).map((halfHours) => (halfHours * HOUR_MS) / 2),
      fc.integer({ min: -2 * DAY_MS, max: 2 * DAY_MS }),
      fc.integer({ min: -500 * DAY_MS, max: 100 * DAY_MS }),
    )
    .chain((ms) => fc.constantFrom(-1, 0, 1).map((next) => Date.parse(day) + ms + next))

const lineArbitrary = (day: string): fc.Arbitrary<Line> =>
  fc.record({
    sellerId: fc.constantFrom(...SELLERS),
    currency: fc.constantFrom(...CURRENCIES),
    occurredAtMs: aroundArbitrary(day),
    productId: fc.constantFrom(...PRODUCTS),
    amount: fc.integer({ min: -500, max: 2_000 }),
    quantity: fc.integer({ min: -2, max: 5 }),
    orders: fc.integer({ min: -1, max: 1 }),
  })

const dayArbitrary = (day: string) =>
  fc.integer({ min: -60, max: 60 }).map((days) => instantOf(Date.parse(day) + days * DAY_MS).slice(0, 10))

const requestArbitrary = (day: string) =>
  fc
    .record(
      {
        start: dayArbitrary(day),
        end: fc.oneof(dayArbitrary(day), fc.constant('2026-09-01')),
        currency: fc.constantFrom(...CURRENCIES, 'CHF'),
        granularity: fc.constantFrom(...GRANULARITIES),
      },
      { requiredKeys: ['granularity'] },
    )
    .map(({ start, end, ...rest }) => {
      const [first, last] = start !== undefined && end !== undefined && start > end ? [end, start] : [start, end]
      const isLong = last === '2026-09-01' && rest.granularity === 'day'
      return { ...rest, start: first, end: isLong ? undefined : last }
    })

const placeArbitrary = fc.constantFrom(...PLACES).chain(([timeZone, day]) =>
  fc.record({
    timeZone: fc.constant(timeZone),
    nowMs: aroundArbitrary(day).map((ms) => Math.max(ms, Date.parse(day) + 61 * DAY_MS)),
    lines: fc.array(lineArbitrary(day), { maxLength: 60 }),
    ratings: fc.array(
      fc.record({
        productId: fc.constantFrom(...PRODUCTS),
        occurredAtMs: aroundArbitrary(day),
        stars: fc.constantFrom(1, 1.5, 3, 4.5, 5),
      }),
      { maxLength: 20 },
    ),
    requests: fc.array(requestArbitrary(day), { minLength: 6, maxLength: 6 }),
  }),
)

test('a dashboard equals the sale lines, for any seller, range, granularity and time zone', async ({ db }) => {
  await fc.assert(
    fc.asyncProperty(placeArbitrary, async ({ timeZone, nowMs, lines, ratings, requests }) => {
      await clearSales(db)
      await storeSales(db, lines)
      await storeCatalogue(db)
      await storeRatings(db, ratings)
      for (const [n, asked] of requests.entries()) {
        const sellerId = SELLERS[n % SELLERS.length]!
        const request = SellerDashboardRequest.parse({ ...asked, time_zone: timeZone })
        const { data, meta } = await dashboardOf(db, sellerId, request, nowMs)
        const { start, end, currencies, ...numbers } = await expectedDashboard(db, sellerId, request, nowMs)
        expect(meta).toMatchObject({ start, end, currencies })
        expectSame(data, numbers)
      }
    }),
    { numRuns: 40 },
  )
})

async function storeCatalogue(db: Database): Promise<void> {
  await sql`
    insert into catalog.product (product_id, seller_id, name, status, updated_at, call_id)
    select p, case p when 'p3' then 'b' else 'a' end, 'Name of ' || p, 'active', now(), gen_random_uuid()
    from unnest(${PRODUCTS.slice(0, -1)}::text[]) p`.execute(db)
}

async function storeRatings(
  db: Database,
  ratings: readonly { productId: string; occurredAtMs: number; stars: number }[],
): Promise<void> {
  await sql`
    insert into product_rating (product_id, occurred_at, event_id, stars)
    select r ->> 'productId', to_timestamp((r ->> 'occurredAtMs')::numeric / 1000), gen_random_uuid(), (r ->> 'stars')::real
    from jsonb_array_elements(${JSON.stringify(ratings)}::jsonb) r`.execute(db)
}

test.for([
  ['Europe/Berlin', '2026-03-29', 23 * 60],
  ['Europe/Berlin', '2026-03-30', 24 * 60],
  ['Europe/Berlin', '2025-10-26', 25 * 60],
  ['America/Sao_Paulo', '2017-10-15', 23 * 60],
  ['America/Sao_Paulo', '2018-02-17', 25 * 60],
  ['Australia/Lord_Howe', '2026-04-05', 24.5 * 60],
  ['America/Havana', '2025-11-02', 25 * 60],
  ['America/St_Johns', '2010-11-06', 25 * 60 - 1],
  ['Pacific/Apia', '2011-12-30', 0],
  ['Asia/Kathmandu', '2026-03-29', 24 * 60],
] as const)(
  'in %s the %s has the lines of its %d minutes, and no other bucket has them',
  async ([time_zone, day, minutes], { db }) => {
    const lines = Array.from({ length: 54 * 60 }, (_, minute) =>
      saleLine({ occurredAtMs: Date.parse(day) + minute * 60_000 - 15 * HOUR_MS }),
    )
    await storeSales(db, lines)
    const { data } = await dashboardOf(db, 'north-light', { time_zone, start: day, end: day })
    expect(data.charts.orders).toEqual([{ date: day, value: minutes }])
    const [before, after] = [-DAY_MS, DAY_MS].map((ms) => instantOf(Date.parse(day) + ms).slice(0, 10))
    const { charts } = (await dashboardOf(db, 'north-light', { time_zone, start: before, end: after })).data
    expect(charts.orders[1]).toEqual(data.charts.orders[0])
    expect(data.top_products).toEqual(minutes === 0 ? [] : [expect.objectContaining({ sold_count: minutes })])
    const { summary: next } = (await dashboardOf(db, 'north-light', { time_zone, start: after, end: after })).data
    expectRounded(next.comparison.orders_change, changed(next.total_orders, minutes))
  },
)

test('charts have every bucket, the first starts on the first day, and sums equal the summary', async ({ db }) => {
  const at = (day: string) => saleLine({ occurredAtMs: Date.parse(day) })
  // Two are just outside of the range, in its first week and its last month.
  await storeSales(db, ['2025-12-30', '2025-12-31', '2026-01-01', '2026-01-21', '2026-03-05', '2026-03-06'].map(at))
  const range = { start: '2025-12-31', end: '2026-03-05' }
  const points = async (granularity: 'day' | 'week' | 'month') => {
    const { data } = await dashboardOf(db, 'north-light', { ...range, granularity })
    expect(data.summary.total_orders).toBe(4)
    return data.charts.orders.map(({ date, value }) => [date, value])
  }
  expect(await points('month')).toEqual([
    ['2025-12-01', 1],
    ['2026-01-01', 2],
    ['2026-02-01', 0],
    ['2026-03-01', 1],
  ])
  const weeks = await points('week')
  expect(weeks).toHaveLength(10)
  expect(weeks.filter(([, value]) => value !== 0)).toEqual([
    ['2025-12-29', 2],
    ['2026-01-19', 1],
    ['2026-03-02', 1],
  ])
  const days = await points('day')
  expect(days).toHaveLength(65)
  expect([days[0], days.at(-1)]).toEqual([
    ['2025-12-31', 1],
    ['2026-03-05', 1],
  ])
})

test('the previous period has as many days, and a change from 0 is null', async ({ db }) => {
  const sold = (day: string, amount: number, quantity: number, orders: number) =>
    saleLine({ occurredAtMs: Date.parse(day), amount, quantity, orders })
  await storeSales(db, [
    sold('2026-03-03', 7_777, 7, 1),
    sold('2026-03-04', 3_000, 3, 1),
    sold('2026-03-05', -600, -3, -1),
    sold('2026-03-06', 1_600, 4, 1),
  ])
  const { summary } = (await dashboardOf(db, 'north-light', { start: '2026-03-06', end: '2026-03-07' })).data
  expect(summary.comparison).toEqual({ revenue_change: -33.33, orders_change: null, items_sold_change: null })
  const before = (await dashboardOf(db, 'north-light', { start: '2026-03-05', end: '2026-03-05' })).data.summary
  expect(before.comparison).toEqual({ revenue_change: -120, orders_change: -200, items_sold_change: -200 })
  const after = (await dashboardOf(db, 'north-light', { start: '2026-03-06', end: '2026-03-06' })).data.summary
  expect(after.comparison.revenue_change).toBe(366.67)
})

test('currencies are never added up: the default is the currency with the most orders', async ({ db }) => {
  const occurredAtMs = Date.parse('2026-03-10')
  const of = (currency: string, amount: number, orders: number) => saleLine({ occurredAtMs, currency, amount, orders })
  await storeSales(db, [of('USD', 100, 1), of('EUR', 1, 1), of('EUR', 2, 1), of('CHF', 5, 1), of('JPY', 7_000, 0)])
  const { data, meta } = await dashboardOf(db, 'north-light', {})
  expect(meta.currencies).toEqual(['EUR', 'CHF', 'USD', 'JPY'])
  expect(data.summary).toMatchObject({ currency: 'EUR', total_revenue: 3, total_orders: 2 })
  expect(data.top_products).toMatchObject([{ sold_count: 2, revenue: 3 }])
  const inYen = await dashboardOf(db, 'north-light', { currency: 'JPY', time_zone: 'Asia/Tokyo' })
  expect(inYen.data.summary).toMatchObject({ currency: 'JPY', total_revenue: 7_000, total_orders: 0 })
  const inPounds = await dashboardOf(db, 'north-light', { currency: 'GBP' })
  expect(inPounds.data).toMatchObject({ summary: { currency: 'GBP', total_revenue: 0 }, top_products: [] })
  expect(inPounds.meta.currencies).toEqual(meta.currencies)
})

test('a seller without sales has every bucket, all of them empty', async ({ db }) => {
  await storeSales(db, [saleLine({ occurredAtMs: NOW_MS, sellerId: 'another' })])
  const { data, meta } = await dashboardOf(db, 'nobody', {})
  expect(meta).toEqual({
    seller_id: 'nobody',
    start: '2026-02-14',
    end: '2026-03-15',
    granularity: 'day',
    time_zone: 'UTC',
    currencies: [],
    generated_at: '2026-03-15T12:00:00.000Z',
  })
  const empty = { total_revenue: 0, total_orders: 0, items_sold: 0, average_rating: null, currency: null }
  const comparison = { revenue_change: null, orders_change: null, items_sold_change: null }
  expect(data.summary).toEqual({ ...empty, pending_items: 0, pending_refunds: 0, comparison })
  expect(data.top_products).toEqual([])
  expect(data.charts.revenue).toHaveLength(30)
  expect(data.charts.revenue.every(({ value }) => value === 0)).toBe(true)
})

test('pending payments are current, whatever the range and currency', async ({ db }) => {
  await sql`insert into seller_pending (seller_id, items, refunds) values ('north-light', 3, 2)`.execute(db)
  const { data } = await dashboardOf(db, 'north-light', { start: '2020-01-01', end: '2020-01-01', currency: 'CHF' })
  expect(data.summary).toMatchObject({ pending_items: 3, pending_refunds: 2 })
})

test('items of payments that are pending for more than 30 days are given up, and refunds that wait are not', async ({ db }) => {
  const day = (daysAgo: number) => new Date(NOW_MS - daysAgo * 86_400_000).toISOString().slice(0, 10)
  for (const [daysAgo, items] of [
    [0, 1],
    [30, 10],
    [31, 100],
  ] as const) {
    await sql`
      insert into seller_pending_day (seller_id, day, items, refunds)
      values ('patient', ${day(daysAgo)}, ${items}, ${items})`.execute(db)
  }
  const { data } = await dashboardOf(db, 'patient', {})
  expect(data.summary).toMatchObject({ pending_items: 11, pending_refunds: 111 })
})

test('the rating covers the products that belong to the seller today', async ({ db }) => {
  await storeCatalogue(db)
  const rated = (productId: string, stars: number) => ({ productId, stars, occurredAtMs: NOW_MS })
  await storeRatings(db, [rated('p1', 5), rated('p1', 5), rated('p2', 1.5), rated('p3', 1), rated('not in the catalogue', 1)])
  const ratingOf = async (sellerId: string) => (await dashboardOf(db, sellerId, {})).data.summary.average_rating
  expect(await ratingOf('a')).toBe(3.83)
  expect(await ratingOf('b')).toBe(1)
  await sql`update catalog.product set seller_id = 'b' where product_id = 'p2'`.execute(db)
  expect(await ratingOf('a')).toBe(5)
  expect(await ratingOf('b')).toBe(1.25)
})

test('the best products are sorted by items, revenue, id; fully refunded products are omitted', async ({ db }) => {
  const sold = (productId: string, quantity: number, amount: number) =>
    saleLine({ occurredAtMs: NOW_MS, productId, quantity, amount })
  const many = Array.from({ length: TOP_PRODUCTS }, (_, n) => sold(`one ${n}`, 1, 5))
  await storeSales(db, [...many, sold('b', 2, 9), sold('a', 2, 9), sold('c', 2, 10), sold('gone', 9, 90), sold('gone', -9, -90)])
  const { top_products } = (await dashboardOf(db, 'north-light', {})).data
  expect(top_products.map(({ product_id }) => product_id)).toEqual([
    'c',
    'a',
    'b',
    ...many.slice(0, 7).map((line) => line.productId),
  ])
})

test('a time zone that the database does not know is refused', async ({ db }) => {
  const request = { time_zone: 'Mars/Olympus_Mons', granularity: 'day', start: '2026-01-01', end: '2026-01-02' } as const
  await expect(sellerDashboard(db, 'a', request, { nowMs: NOW_MS, pendingDays: 30 })).rejects.toMatchObject({
    field: 'time_zone',
  })
})

test.for([
  ['day', '2000-01-02', '2002-09-27'],
  ['week', '2000-01-03', '2019-03-03'],
  ['month', '2000-01-01', '2083-04-30'],
] as const)('a chart by %s has the maximum of points; one point more is refused', async ([granularity, start, end], { db }) => {
  const { data } = await dashboardOf(db, 'nobody', { granularity, start, end })
  expect(data.charts.revenue).toHaveLength(BUCKETS_MAX)
  const longer = instantOf(Date.parse(end) + DAY_MS).slice(0, 10)
  await expect(dashboardOf(db, 'nobody', { granularity, start, end: longer })).rejects.toMatchObject({
    field: 'granularity',
    problem: 'would give 1,001 points, and charts have at most 1,000: choose a coarser granularity or a shorter range',
  })
})
