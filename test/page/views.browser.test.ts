import { randomUUID } from 'node:crypto'
import type { Page } from 'playwright-core'
import { describe, expect } from 'vitest'
import type { FoundProduct } from '../../src/contract/product-search.ts'
import type { BacklogResponse } from '../../src/contract/backlog.ts'
import type { ExplanationResponse } from '../../src/contract/explanation.ts'
import { INGEST_KINDS, type IngestHour } from '../../src/contract/ingest.ts'
import type { KafkaLagResponse } from '../../src/contract/kafka-lag.ts'
import type { SellerSales } from '../../src/contract/seller-list.ts'
import type { LowStock } from '../../src/contract/product-metrics.ts'
import type { RecommendationMetrics } from '../../src/contract/recommendation-metrics.ts'
import type { ReportAnswer } from '../../src/contract/report.ts'
import type { SellerDashboardResponse } from '../../src/contract/seller-dashboard.ts'
import { noteArchived } from '../../src/store/archive/archived-month.ts'
import type { Database } from '../../src/store/database/connection.ts'
import { noteExport } from '../../src/store/erasure/export-list.ts'
import { requestErasure } from '../../src/store/erasure/run-machine.ts'
import { recordImpressions } from '../../src/store/recommendations/impressions.ts'
import { findChromium } from '../harness/clients/chromium.ts'
import { axeProblems, numbersIn, openView, overflowOf, startBrowser } from '../harness/clients/page-browser.ts'
import { pgTest } from '../harness/fixtures.ts'
import { recordNewSearches, search } from '../harness/items/events.ts'
import { impression } from '../harness/items/impressions.ts'
import { upsert } from '../harness/items/products.ts'
import { analyticsEvent, day, recordEvents, refreshAll } from '../harness/items/recomputed.ts'
import { saleLine, storeSales } from '../harness/items/sales.ts'
import { shopProduct, storeShop } from '../harness/items/shop-with-history.ts'
import { startGateway } from '../harness/servers/gateway.ts'

const CHROMIUM = findChromium()
if (CHROMIUM === undefined) console.warn('There is no Chromium here: install one, or name it in CHROMIUM_PATH.')

type Ask = (path: string) => Promise<Record<string, never>[]>

interface ViewCase {
  path: string
  /** Numbers as the page shows them, and as REST answers them. */
  numbers: (page: Page, ask: Ask) => Promise<[shown: unknown, answered: unknown]>
  /** The most that is sent until the view is shown. */
  bytesMax: number
}

const PAGE_BYTES_MAX = 25_000
const CHART_BYTES_MAX = 50_000

const VIEWS: Record<string, ViewCase> = {
  'Hot now': {
    path: '/?mode=overall',
    bytesMax: PAGE_BYTES_MAX,
    numbers: async (page, ask) => {
      const rows = await ask('/api/v1/products/popular?mode=overall&limit=20')
      const shown = await numbersIn(page, '.panel')
      const fields = ['score', 'view_count', 'cart_count', 'purchase_count', 'review_count']
      return [shown, rows.map((row, index) => [index + 1, ...fields.map((field) => row[field])])]
    },
  },
  'one product': {
    path: '/product/p07',
    bytesMax: CHART_BYTES_MAX,
    numbers: async (page, ask) => {
      const { event_types } = (await ask('/api/v1/analytic/popularity/p07/explain')) as unknown as ExplanationResponse['data']
      const shown = await numbersIn(page, '#score')
      // Trending scores differ with every instant.
      const counts = event_types.map(({ count, weight, score }) => [count, weight, score])
      return [shown.map((row) => row.slice(0, 3)), counts]
    },
  },
  products: {
    path: '/products',
    bytesMax: PAGE_BYTES_MAX,
    numbers: async (page, ask) => {
      const rows = (await ask('/api/v1/catalog/products?limit=50')) as unknown as FoundProduct[]
      const answered = rows.map(({ price = 0, quantity = 0, interactions }) => [price / 100, quantity, interactions?.score])
      return [await numbersIn(page, '.panel'), answered.map((row) => row.filter((value) => value !== undefined))]
    },
  },
  categories: {
    path: '/categories',
    bytesMax: PAGE_BYTES_MAX,
    numbers: async (page, ask) => {
      const rows = await ask('/api/v1/catalog/categories?limit=100')
      return [await numbersIn(page, '.panel'), rows.map(({ events }) => [events])]
    },
  },
  searches: {
    path: '/searches',
    bytesMax: PAGE_BYTES_MAX,
    numbers: async (page, ask) => {
      const rows = await ask('/api/v1/search/queries?limit=50')
      const shown = await numbersIn(page, '.panel')
      return [
        shown,
        rows.map(({ searches, found_nothing, clicks, click_through }) => [searches, found_nothing, clicks, click_through]),
      ]
    },
  },
  'one seller': {
    path: '/sellers/s0',
    bytesMax: CHART_BYTES_MAX,
    numbers: async (page, ask) => {
      const range = `start=${day(6)}&end=${day(0)}`
      const answered = await ask(`/api/v1/analytic/seller-dashboard?seller_id=s0&${range}`)
      const { top_products } = answered as unknown as SellerDashboardResponse['data']
      const shown = await numbersIn(page, '#best')
      return [shown, top_products.map(({ sold_count, revenue }) => [sold_count, revenue / 100])]
    },
  },
  shoppers: {
    path: '/shoppers?shopper=session:shopper-3&context=p20,p21',
    bytesMax: PAGE_BYTES_MAX,
    numbers: async (page, ask) => {
      const rows = await ask('/api/v1/recommendations?session_id=shopper-3&limit=10&preview=true')
      const shown = await numbersIn(page, '#recommended')
      return [shown, rows.map(({ rank, score }) => [rank, score])]
    },
  },
  reports: {
    path: '/reports?report=status-counts',
    bytesMax: CHART_BYTES_MAX,
    numbers: async (page, ask) => {
      const answered = await ask(`/api/v1/reports/status-counts/run?window=day&date_from=${day(6)}&date_to=${day(0)}`)
      const { rows } = answered as unknown as ReportAnswer
      const shown = await numbersIn(page, '#report')
      return [shown, rows.map(({ event_count }) => [event_count, 49.9 * event_count, 120, 120])]
    },
  },
  sellers: {
    path: '/sellers',
    bytesMax: PAGE_BYTES_MAX,
    numbers: async (page, ask) => {
      const rows = (await ask(`/api/v1/sellers?start=${day(6)}&end=${day(0)}`)) as unknown as SellerSales[]
      const shown = await numbersIn(page, '.panel')
      const known = rows.map(({ amounts, orders, change, items_sold, products }) => [
        ...[...amounts.map(({ amount }) => amount / 100), orders, change.orders, items_sold, products],
      ])
      return [shown, known.map((row) => row.filter((value) => value !== null))]
    },
  },
  quality: {
    path: '/quality',
    bytesMax: CHART_BYTES_MAX,
    numbers: async (page, ask) => {
      const hours = (await ask('/api/v1/ingest?hours=24')) as unknown as IngestHour[]
      const shown = await numbersIn(page, '#kinds')
      const sum = (kind: string, of: 'accepted' | 'duplicates' | 'rejected') =>
        hours.flatMap(({ kinds }) => kinds.filter((each) => each.kind === kind)).reduce((total, each) => total + each[of], 0)
      return [shown, INGEST_KINDS.map((kind) => [sum(kind, 'accepted'), sum(kind, 'duplicates'), sum(kind, 'rejected')])]
    },
  },
  operations: {
    path: '/operations',
    bytesMax: PAGE_BYTES_MAX,
    numbers: async (page, ask) => {
      const { counting, feeding } = (await ask('/api/v1/backlog')) as unknown as BacklogResponse['data']
      const shown = await page.$$eval('.card .large > data.n', (all) =>
        all.map((each) => Number((each as HTMLDataElement).value)),
      )
      const paused = (await ask('/api/v1/invocations')).length
      return [shown, [counting.events, feeding.events, paused]]
    },
  },
  keys: {
    path: '/keys',
    bytesMax: PAGE_BYTES_MAX,
    // Without keys there are no numbers.
    numbers: async (page, ask) => [
      await page.$$eval('#keys tbody tr', (rows) => rows.length),
      (await ask('/api/v1/keys')).length,
    ],
  },
  stock: {
    path: '/stock',
    bytesMax: PAGE_BYTES_MAX,
    numbers: async (page, ask) => {
      const { products } = (await ask('/api/v1/catalog/metrics/low-stock')) as unknown as LowStock
      const shown = await numbersIn(page, '#low')
      return [shown, products.map(({ quantity }) => [quantity])]
    },
  },
  recommendations: {
    path: '/recommendations',
    bytesMax: PAGE_BYTES_MAX,
    numbers: async (page, ask) => {
      const rows = (await ask('/api/v1/recommendations/metrics')) as unknown as RecommendationMetrics[]
      const shown = await numbersIn(page, '#metrics')
      return [
        shown,
        rows.map((row) => [
          ...[row.similarity_version, row.impressions, row.clicks, row.click_through, row.carts, row.purchases].filter(
            (value) => value !== null,
          ),
        ]),
      ]
    },
  },
}

/** One Chromium and one gateway over a shop with a history, for all views. */
const test = pgTest
  .extend('browser', { scope: 'file' }, async ({}, { onCleanup }) => {
    const browser = await startBrowser(CHROMIUM!)
    onCleanup(() => browser.close())
    return browser
  })
  .extend('gateway', { scope: 'file' }, async ({ database }, { onCleanup }) => {
    await storeShop(database.db)
    await recordNewSearches(database.db, [search({ query: 'lamp' }), search({ query: 'sofa', productIds: [] })])
    await storeOperations(database.db)
    const gateway = await startGateway(database.url, { ingressUrl: 'http://127.0.0.1:1' }, { kafkaLag: async () => KAFKA })
    onCleanup(gateway.stop)
    return gateway
  })

const PARTITION = { topic: 'interactions', partition: 3, next: 50, first: 0, end: 1_591, behind: 1_541 }
const KAFKA: KafkaLagResponse = {
  data: [{ ...PARTITION, moved_at: '2026-03-01T12:00:00.000Z' }],
  meta: { missing_topics: ['product.deleted'] },
}

/** What sellers sold, what systems reported, what is low, lists that were shown, and what is archived, erased and exported. */
async function storeOperations(db: Database): Promise<void> {
  const occurredAtMs = Date.now()
  await storeSales(db, [
    saleLine({ sellerId: 's0', productId: 'p02', occurredAtMs, amount: 4_990, quantity: 3 }),
    saleLine({ sellerId: 's0', productId: 'p04', occurredAtMs, amount: 990 }),
    saleLine({ sellerId: 's0', productId: 'p04', occurredAtMs, amount: 100, currency: 'USD', orders: 0 }),
  ])
  await recordEvents(
    db,
    (['failed', 'success', 'success'] as const).map((status) =>
      analyticsEvent({ status, processingMs: 120, amount: 4_990, currency: 'EUR' }),
    ),
  )
  await refreshAll(db)
  await upsert(db, [shopProduct(50, { product_id: 'p50', quantity: 2 }), shopProduct(51, { product_id: 'p51', quantity: 0 })])
  await recordImpressions(db, [impression(), impression({ strategy: 'popular', similarity_version: null })])
  const archived = {
    table: 'interaction',
    rows: 550_000,
    bytes: 49_500_000,
    parts: 3,
    place: 's3://a-bucket/of/footfall',
  } as const
  await noteArchived(db, { ...archived, month: '2026-01' })
  const by = { actor: 'local', requested_by: 'privacy desk' }
  await requestErasure(db, randomUUID(), { shopper_id: 'account:ada', ...by })
  for (const status of ['completed', 'cut_off'] as const)
    await noteExport(db, { export_id: randomUUID(), status, rows: 41, ...by })
}

describe.skipIf(CHROMIUM === undefined).each(Object.entries(VIEWS))('%s', (_name, { path, numbers, bytesMax }) => {
  test('is sent in few bytes and requests, and can be read and operated by everyone', async ({ browser, gateway }) => {
    const { page, problems, traffic, close } = await openView(browser, gateway.url + path)
    expect(traffic.bytes).toBeLessThanOrEqual(bytesMax)
    expect(traffic.requests).toBeLessThanOrEqual(4)
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme })
      expect({ colorScheme, found: await axeProblems(page) }).toEqual({ colorScheme, found: [] })
    }
    expect(problems).toEqual([])
    await close()
  })

  test('fits windows of 360, 1,280 and 3,840 pixels', async ({ browser, gateway }) => {
    const { page, close } = await openView(browser, gateway.url + path, { width: 360 })
    for (const width of [360, 1_280, 3_840]) {
      await page.setViewportSize({ width, height: 800 })
      expect({ width, overflow: Math.max(0, await overflowOf(page)) }).toEqual({ width, overflow: 0 })
    }
    await close()
  })

  test.for([true, false])('shows the numbers of REST, with JavaScript: %s', async (javaScriptEnabled, { browser, gateway }) => {
    const { page, close } = await openView(browser, gateway.url + path, { javaScriptEnabled })
    const ask = async (asked: string) =>
      ((await (await fetch(gateway.url + asked)).json()) as { data: Record<string, never>[] }).data
    const [shown, answered] = await numbers(page, ask)
    expect(shown).toEqual(answered)
    await close()
  })
})
