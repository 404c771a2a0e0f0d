import * as clients from '@restatedev/restate-sdk-clients'
import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { scheduleApi } from '../../src/contract/services.ts'
import { until } from '../../src/main/embedded/until.ts'
import { readStates } from '../../src/store/metrics/metric-state.ts'
import { PRODUCT_METRIC } from '../../src/store/proof/product-metric-drift.ts'
import { product, upsert } from '../harness/items/products.ts'
import { ANYWHERE, type Death, STATEMENT_ANSWERED } from './endpoint-messages.ts'
import { type CrashStack, startCrashStack } from './stack.ts'

const PATIENCE_MS = 60_000
/** More than a fold and the recording of two states have. */
const STATEMENTS = 16
const DEATHS_ANYWHERE = 6
const STEP = 7
const TASKS = ['fold-metrics', 'record-metrics']

let stack: CrashStack
beforeAll(async () => {
  stack = await startCrashStack()
}, 60_000)
afterAll(() => stack.stop({ keepFolder: false }))

const schedule = (task: string) => clients.connect({ url: stack.ingressUrl }).client(scheduleApi, task)
const startTasks = async () => {
  for (const task of TASKS) await schedule(task).Start({ every_ms: 200 })
}
const stopTasks = async () => {
  for (const task of TASKS) await schedule(task).Stop({})
}

/** A product whose versions move between two sellers of the round, and become low. */
const version = (round: string, n: number, second: number) =>
  product({
    product_id: `${round} ${n}`,
    seller_id: `${round} ${(n + second) % 2}`,
    quantity: 12 - second,
    ...{ price: 100, currency: 'EUR' },
    updated_at: new Date(Date.UTC(2026, 2, 1, 12, 0, second)).toISOString(),
  })

async function write(round: string, seconds: readonly number[]): Promise<void> {
  const batches = seconds.map((second) => Array.from({ length: 5 }, (_, n) => version(round, n, second)))
  await Promise.all(batches.map((batch) => upsert(stack.db, batch)))
  expect((await PRODUCT_METRIC.prove(stack.db, {} as never)).drift).toEqual([])
}

const keysOf = (round: string) => [`SELLER#${round} 0`, `SELLER#${round} 1`]

/** What waits for the keys of a round, and how many of them have a state. */
async function progressOf(round: string): Promise<{ deltas: number; pending: number; due: number; recorded: number }> {
  const { rows } = await sql<Awaited<ReturnType<typeof progressOf>>>`
    select (select count(*)::int from product_metric_delta) as deltas, count(pending_at)::int as pending,
      count(*) filter (where is_due)::int as due, count(recorded_at)::int as recorded
    from product_metric_change where key = any(${keysOf(round)})`.execute(stack.db)
  return rows[0]!
}

/** As if two minutes had passed for keys whose state was recorded. */
async function passTime(round: string): Promise<void> {
  await sql`
    with passed as (
      update product_metric_change set recorded_at = recorded_at - interval '2 minutes'
      where key = any(${keysOf(round)}) and pending_at is null returning key
    )
    update product_metric_history set at = at - interval '2 minutes' where key in (select key from passed)`.execute(stack.db)
}

/** Waits until the keys of the round are folded and their last state is recorded. */
async function recorded(round: string): Promise<void> {
  const isRecorded = async () => {
    const { deltas, pending, due, recorded: keys } = await progressOf(round)
    if (deltas === 0 && pending === 0 && due > 0) await passTime(round)
    return deltas + pending + due === 0 && keys === 2
  }
  expect(await until(isRecorded, PATIENCE_MS)).toBe(true)
}

/** Products change while the endpoint dies. @returns whether their changes were waiting then; undefined when it did not die. */
async function changeAndDie(round: string, death: Death): Promise<boolean | undefined> {
  await write(round, [1, 2, 3])
  let isRecorded = false
  let wereWaiting: boolean | undefined
  const work = async () => {
    await write(round, [4, 5])
    await recorded(round)
    await write(round, [8, 6, 7])
    await recorded(round)
    isRecorded = true
  }
  await stack.dieDuring(death, work, {
    onDeath: async () => {
      wereWaiting = !isRecorded
    },
    waitMs: PATIENCE_MS,
  })
  expect((await PRODUCT_METRIC.prove(stack.db, {} as never)).drift).toEqual([])
  const now = await readStates(stack.db, keysOf(round))
  for (const key of keysOf(round)) {
    const { rows } = await sql<{ state: unknown; isExpiring: boolean }>`
      select state, expires_at is not null as "isExpiring" from product_metric_history where key = ${key} order by at`.execute(
      stack.db,
    )
    expect(rows.length).toBeGreaterThan(1)
    expect(rows.map(({ isExpiring }) => isExpiring)).toEqual(rows.map((_, n) => n < rows.length - 1))
    expect(new Set(rows.map(({ state }) => JSON.stringify(state))).size).toBe(rows.length)
    expect(rows.at(-1)!.state).toEqual(now.get(key)!.state)
  }
  return wereWaiting
}

test(
  'killed after every statement of folds and recordings, the endpoint loses no change and records no state twice',
  { timeout: 600_000 },
  async () => {
    await startTasks()
    const wereWaiting: boolean[] = []
    for (let occurrence = 1; occurrence <= STATEMENTS; occurrence++) {
      const wasWaiting = await changeAndDie(`statement ${occurrence}`, { point: STATEMENT_ANSWERED, occurrence })
      expect(wasWaiting, `not reached: ${occurrence}`).toBeDefined()
      wereWaiting.push(wasWaiting!)
    }
    await stopTasks()
    // The last statements may come in a run without work.
    expect(wereWaiting.filter(Boolean).length).toBeGreaterThan(STATEMENTS / 2)
  },
)

test('the same wherever the endpoint is killed, and PostgreSQL once', { timeout: 600_000 }, async () => {
  await startTasks()
  const first = 1 + Math.floor(Math.random() * STEP)
  for (let deaths = 0; deaths < DEATHS_ANYWHERE; deaths++) {
    const occurrence = first + deaths * STEP
    expect(await changeAndDie(`anywhere ${occurrence}`, { point: ANYWHERE, occurrence })).toBeDefined()
  }
  await write('postgres', [1, 2])
  await stack.kill('postgres')
  await stack.revive('postgres')
  await write('postgres', [3])
  await recorded('postgres')
  expect((await PRODUCT_METRIC.prove(stack.db, {} as never)).drift).toEqual([])
  await stopTasks()
})
