import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { sql } from 'kysely'
import { expect } from 'vitest'
import { historyOf } from '../../src/cli/demo/history.ts'
import { operationsOf } from '../../src/cli/demo/operations.ts'
import type { DemoPlan } from '../../src/cli/demo/plan.ts'
import { REJECTED_EVERY } from '../../src/cli/demo/rejected.ts'
import { runDemo } from '../../src/cli/demo/run.ts'
import { shopOf } from '../../src/cli/demo/shop.ts'
import type { View } from '../../src/cli/demo/table.ts'
import { stopProcess } from '../../src/main/embedded/process.ts'
import type { Database } from '../../src/store/database/connection.ts'
import { verify } from '../../src/store/proof/verification.ts'
import { gatewayTest as test } from '../harness/fixtures.ts'
import { PAYMENT_SECRET, type TestGateway } from '../harness/servers/gateway.ts'
import type { Stack } from '../harness/servers/stack.ts'

const FOOTFALL = join(import.meta.dirname, '..', '..', 'src', 'main', 'footfall.js')
const NOW_MS = Date.now()
const PLAN = { seed: 1, days: 3, nowMs: NOW_MS, rate: 0.01, paymentSecret: PAYMENT_SECRET }
const HISTORY = historyOf(shopOf(1), { ...PLAN, hasCallbacks: true })
const IN_HISTORY = HISTORY.length + operationsOf(1, PLAN).length

async function play(stack: Stack, gateway: TestGateway, changes: Partial<DemoPlan>) {
  const lines: string[] = []
  const views: View[] = []
  const tally = await runDemo(
    { ...PLAN, gatewayUrl: gateway.url, ticks: [], ...changes, signal: new AbortController().signal },
    { print: (line) => void lines.push(line), show: (view) => void views.push(structuredClone(view)) },
  )
  await stack.settled()
  return { tally, lines, views }
}

/** Everything that was recorded, each kind in its own table, but for what Footfall made of payments; and what was rejected. */
async function recorded(db: Database): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    select ((select count(*) from interaction) + (select count(*) from search) + (select count(*) from rejected_interaction))::integer as count`.execute(
    db,
  )
  return rows[0]!.count
}

/** Events about a product that were recorded without its category. */
async function uncategorised(db: Database): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    select count(*)::integer as count from interaction where not is_category and category is null`.execute(db)
  return rows[0]!.count
}

async function viewsByProduct(db: Database): Promise<Record<string, number>> {
  const { rows } = await sql<{ product_id: string; view_count: number }>`
    select product_id, view_count::integer as view_count from product_popularity where view_count > 0`.execute(db)
  return Object.fromEntries(rows.map(({ product_id, view_count }) => [product_id, view_count]))
}

/** How many of the history's events, beside those of guided shoppers, look at each product. */
function viewsOfHistory(): Record<string, number> {
  const views: Record<string, number> = {}
  for (const { kind, item } of HISTORY) {
    if (kind !== 'interaction' || item.ref_type !== 'Product' || !/^view(_bounce)?$/.test(item.event_type)) continue
    views[item.ref_id] = (views[item.ref_id] ?? 0) + 1
  }
  return views
}

/** The guided shoppers look at products too, each after a click on a recommendation. */
async function guidedViews(db: Database): Promise<Record<string, number>> {
  const { rows } = await sql<{ product_id: string; views: number }>`
    select ref_id as product_id, count(*)::integer as views from interaction
    where event_type = 'view' and metadata ? 'recommendation_id' group by 1`.execute(db)
  return Object.fromEntries(rows.map(({ product_id, views }) => [product_id, views]))
}

test("the demo's events are counted once, and the sleeper ends first", async ({ db, stack, gateway }) => {
  const first = await play(stack, gateway, {})
  expect(first.tally.accepted).toBeGreaterThanOrEqual(IN_HISTORY)
  expect(first.tally).toMatchObject({ duplicates: 0, rejected: Math.floor(IN_HISTORY / REJECTED_EVERY) })
  expect(first.lines[0]).toBe('Catalog: 66 products.')
  expect(await uncategorised(db)).toBe(0)
  const guided = await guidedViews(db)
  const expected = viewsOfHistory()
  for (const [product, views] of Object.entries(guided)) expected[product] = (expected[product] ?? 0) + views
  expect(await viewsByProduct(db)).toEqual(expected)

  // A minute and a half of the stream at full speed, because the ticks are its clock.
  const ticks = Array.from({ length: 46 }, (_, index) => index * 2_000)
  const live = await play(stack, gateway, { days: 0, rate: 0.05, ticks })
  expect(live.tally.duplicates).toBe(0)
  expect(live.tally.rejected).toBeGreaterThan(5)
  expect(live.views).toHaveLength(46)
  const { sleeperId, startRanks, story, top } = live.views.at(-2)!
  expect(story).toBe(`${sleeperId} goes viral`)
  expect(startRanks.get(sleeperId) ?? Number.POSITIVE_INFINITY).toBeGreaterThan(30)
  expect(top[0]!.product_id).toBe(sleeperId)
  const before = await recorded(db)

  const again = await play(stack, gateway, {})
  expect(again.tally).toMatchObject({ duplicates: IN_HISTORY, rejected: 0 })
  // Only the guided shoppers are new.
  expect((await recorded(db)) - before).toBeLessThanOrEqual(again.tally.accepted * 2)
  expect((await verify(db)).drift).toEqual([])
})

test('every view of the shop has something to show', async ({ stack, gateway }) => {
  // It needs the events of the test before, which are duplicates when it ran.
  await play(stack, gateway, {})
  const ask = async (path: string) => {
    const response = await fetch(`${gateway.url}/api/v1/${path}`)
    expect([path, response.status]).toEqual([path, 200])
    return ((await response.json()) as { data: never }).data as unknown
  }
  const lists = [
    'products/popular',
    'products/popular?mode=most_viewed&time_window_days=1',
    'products/popular?mode=most_ordered&time_window_days=3',
    'products/popular?mode=most_searched',
    'products/popular?mode=rising&time_window_days=1',
    'analytic/event-types',
    'search/queries',
    'search/queries?filter=found_nothing',
    'search/queries?filter=no_click',
    'analytic/rejected',
    'similarity-runs',
    'similarity-versions',
    'recommendations/metrics',
    'recommendations?account_id=ada-1&explain=true',
    'products/brass-lamp/similar',
    'reports',
    'audit-entries',
  ]
  for (const path of lists) expect([path, await ask(path)]).toEqual([path, expect.arrayContaining([expect.anything()])])
  for (const seller of ['lumen-house', 'copper-hearth', 'green-yard', 'quiet-room']) {
    const today = new Date(NOW_MS).toISOString().slice(0, 10)
    const range = `start=${new Date(NOW_MS - 86_400_000).toISOString().slice(0, 10)}&end=${today}`
    const dashboard = await ask(`analytic/seller-dashboard?seller_id=${seller}&${range}`)
    expect(dashboard).toMatchObject({ top_products: expect.arrayContaining([expect.anything()]) })
    expect((dashboard as { summary: { total_revenue: number } }).summary.total_revenue).toBeGreaterThan(0)
    expect(await ask(`catalog/metrics/sellers/${seller}`)).toMatchObject({ active_products: expect.any(Number) })
  }
  expect(await ask('alerts')).toMatchObject([{ name: 'Stock runs low', is_on: false, pending: 0, failed: 0 }])
  expect(await ask('catalog/metrics/low-stock')).toMatchObject({ products: expect.arrayContaining([expect.anything()]) })
  expect(await ask('shoppers/account:ada-1/context')).toMatchObject({})
})

test('Ctrl-C ends the command with the numbers of the log', async ({ db, gateway }) => {
  const before = await recorded(db)
  const child = spawn(process.execPath, [FOOTFALL, 'demo', '--gateway', gateway.url, '--days', '0', '--rate', '10'], {
    // Without a secret of payments, each item is one row.
    env: { ...process.env, FOOTFALL_HOME: '/nonexistent' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
  try {
    await expect.poll(() => recorded(db), { timeout: 30_000 }).toBeGreaterThan(before)
    const ended = once(child, 'exit')
    child.kill('SIGINT')
    expect(await ended).toEqual([0, null])
  } finally {
    await stopProcess(child, 'SIGKILL')
  }
  const sent = ((await recorded(db)) - before).toLocaleString('en')
  expect(output.trim().split('\n').at(-1)).toMatch(
    new RegExp(`^${sent} sent, [0-9,]+ accepted, 0 duplicates(, [0-9,]+ rejected)?\\. Prove the numbers: \\./footfall verify$`),
  )
})
