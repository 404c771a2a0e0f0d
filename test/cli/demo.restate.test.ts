import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { sql } from 'kysely'
import { expect } from 'vitest'
import type { IdentifiedEvent } from '../../src/cli/demo/event.ts'
import { historyOf } from '../../src/cli/demo/history.ts'
import { type DemoPlan, runDemo } from '../../src/cli/demo/run.ts'
import { shopOf } from '../../src/cli/demo/shop.ts'
import type { View } from '../../src/cli/demo/table.ts'
import { stopProcess } from '../../src/main/embedded/process.ts'
import { topByScore } from '../../src/store/popularity/top-list.ts'
import { verify } from '../../src/store/proof/verification.ts'
import type { TestGateway } from '../harness/servers/gateway.ts'
import type { Stack } from '../harness/servers/stack.ts'
import { gatewayTest as test } from '../harness/fixtures.ts'
import type { Database } from '../../src/store/database/connection.ts'

const FOOTFALL = join(import.meta.dirname, '..', '..', 'src', 'main', 'footfall.js')
const NOW_MS = Date.now()

async function play(stack: Stack, gateway: TestGateway, changes: Partial<DemoPlan>) {
  const lines: string[] = []
  const views: View[] = []
  const plan = { gatewayUrl: gateway.url, seed: 1, days: 3, nowMs: NOW_MS, rate: 20, ticks: [], ...changes }
  const tally = await runDemo(
    { ...plan, signal: new AbortController().signal },
    { print: (line) => void lines.push(line), show: (view) => void views.push(structuredClone(view)) },
  )
  await stack.settled()
  return { tally, lines, views }
}

async function eventsInLog(db: Database): Promise<number> {
  const { rows } = await sql<{ count: number }>`select count(*)::integer as count from interaction`.execute(db)
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

function viewsOf(events: readonly IdentifiedEvent[]): Record<string, number> {
  const views: Record<string, number> = {}
  for (const { event_type, ref_type, ref_id } of events) {
    if (ref_type === 'Product' && /^view(_bounce)?$/.test(event_type)) views[ref_id] = (views[ref_id] ?? 0) + 1
  }
  return views
}

test("the demo's events are counted once, and the sleeper ends first", async ({ db, stack, gateway }) => {
  const history = historyOf(shopOf(1), { days: 3, nowMs: NOW_MS })
  const first = await play(stack, gateway, {})
  expect(first.tally).toEqual({ sent: history.length, accepted: history.length, duplicates: 0, rejected: 0 })
  expect(await viewsByProduct(db)).toEqual(viewsOf(history))
  expect(first.lines[0]).toBe('Catalog: 60 products.')
  expect(await uncategorised(db)).toBe(0)

  // A minute of the stream at full speed, because the ticks are its clock.
  const live = await play(stack, gateway, { days: 0, ticks: Array.from({ length: 31 }, (_, index) => index * 2_000) })
  expect(live.tally).toEqual({ sent: 1_200, accepted: 1_200, duplicates: 0, rejected: 0 })
  expect(live.views).toHaveLength(31)
  const { sleeperId, startRanks, story } = live.views.at(-1)!
  expect(story).toBe(`${sleeperId} goes viral`)
  expect(startRanks.get(sleeperId) ?? Number.POSITIVE_INFINITY).toBeGreaterThan(30)
  expect((await topByScore(db, { limit: 1, after: undefined })).data[0]!.product_id).toBe(sleeperId)

  const again = await play(stack, gateway, {})
  expect(again.tally).toEqual({ sent: history.length, accepted: 0, duplicates: history.length, rejected: 0 })
  expect(again.lines.at(-1)).toContain(`0 accepted, ${history.length.toLocaleString('en')} duplicates`)
  expect(await eventsInLog(db)).toBe(history.length + 1_200)
  expect((await verify(db)).drift).toEqual([])
})

test('Ctrl-C ends the command with the numbers of the log', async ({ db, gateway }) => {
  const before = await eventsInLog(db)
  const child = spawn(process.execPath, [FOOTFALL, 'demo', '--gateway', gateway.url, '--days', '0', '--rate', '100'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
  try {
    await expect.poll(() => eventsInLog(db), { timeout: 30_000 }).toBeGreaterThan(before)
    const ended = once(child, 'exit')
    child.kill('SIGINT')
    expect(await ended).toEqual([0, null])
  } finally {
    await stopProcess(child, 'SIGKILL')
  }
  const sent = ((await eventsInLog(db)) - before).toLocaleString('en')
  expect(output.trim().split('\n').at(-1)).toBe(
    `${sent} sent, ${sent} accepted, 0 duplicates. Prove the numbers: ./footfall verify`,
  )
})
