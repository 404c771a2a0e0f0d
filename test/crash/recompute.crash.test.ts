import { randomUUID } from 'node:crypto'
import * as clients from '@restatedev/restate-sdk-clients'
import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { recomputeRunApi } from '../../src/contract/services.ts'
import {
  analyticsEvent,
  builtBuckets,
  day,
  recordEvents,
  snapshotsByHand,
  startOf,
  storedSnapshots,
} from '../harness/items/recomputed.ts'
import type { Death } from './endpoint.ts'
import { type CrashStack, startCrashStack } from './stack.ts'
import { until } from '../../src/main/embedded/until.ts'

const DAYS = 20
/** Of a run: its statements, its steps and its attempts. */
const PASSAGES_MAX = 140
/** Every 20th place, from another one in each run. */
const STEP = 20
/** A run has at least ten steps. */
const STEP_DAYS = DAYS / 10
const PATIENCE_MS = 30_000
const SCOPE = ['volume-by-period', 'day'] as const

let stack: CrashStack
beforeAll(async () => {
  stack = await startCrashStack()
}, 60_000)
afterAll(() => stack.stop({ keepFolder: false }))

/** Resolves when a run has completed. */
async function completed(id: string): Promise<void> {
  const statusOf = async () =>
    (await sql<{ status: string }>`select status from recompute_run where run_id = ${id}::uuid`.execute(stack.db)).rows[0]?.status
  const isIt = await until(async () => (await statusOf().catch(() => undefined)) === 'completed', PATIENCE_MS)
  if (!isIt) throw new Error(`the run is ${await statusOf()}`)
}

/** How far it is by what is committed. */
async function progressOf(id: string): Promise<[status: string, done: number] | undefined> {
  const { rows } = await sql<{ status: string; done: number }>`
    select status, done from recompute_run where run_id = ${id}::uuid`.execute(stack.db)
  return rows[0] && [rows[0].status, rows[0].done]
}

/** @returns whether the endpoint died on the way. */
async function recomputeAndDie(death: Death): Promise<boolean> {
  const id = randomUUID()
  const run = clients.connect({ url: stack.ingressUrl }).client(recomputeRunApi, id)
  const { died } = await stack.arm(death)
  const request = { report_slug: SCOPE[0], window: SCOPE[1], date_from: day(DAYS - 1), date_to: day(0), actor: 'ada' }
  const done = run.Start(request, clients.rpc.opts({ idempotencyKey: id })).then(() => completed(id))
  let halfWay: unknown
  const hasDied = await stack.outlive(
    died.then(async () => void (halfWay = await progressOf(id))),
    done,
  )
  if (death.point === 'rebuild the buckets') expect(halfWay).toEqual(['running', death.passage * STEP_DAYS])
  await done
  expect(await run.Status({})).toMatchObject({ status: 'completed', progress: { done: DAYS, total: DAYS } })
  const { rows } = await sql<{ action: string }>`
    select action from audit_entry where resource_id = ${id} order by audit_id`.execute(stack.db)
  expect(rows.map(({ action }) => action)).toEqual(['run.request', 'run.start', 'run.complete'])
  const runs = await sql`select distinct run_id::text as id from report_bucket`.execute(stack.db)
  expect(runs.rows).toEqual([{ id }])
  return hasDied
}

test(
  'wherever the endpoint is killed, a run completes, and its buckets and entries are there once',
  { timeout: 300_000 },
  async () => {
    const events = Array.from({ length: 3 * DAYS }, (_, n) =>
      analyticsEvent({ occurredAtMs: startOf(day(n % DAYS)) + n, processingMs: n, entityId: `order-${n}` }),
    )
    await recordEvents(stack.db, events)
    const first = 1 + (Date.now() % STEP)
    let deaths = 0
    for (let passage = first; passage <= PASSAGES_MAX; passage += STEP) {
      const hasDied = await recomputeAndDie({ point: 'anywhere', passage })
      expect(await storedSnapshots(stack.db)).toEqual(snapshotsByHand(SCOPE, events, await builtBuckets(stack.db, SCOPE)))
      if (!hasDied) break
      deaths++
    }
    expect(deaths).toBeGreaterThan(2)
    for (const passage of [1, 5]) expect(await recomputeAndDie({ point: 'rebuild the buckets', passage })).toBe(true)
    // PostgreSQL too, in the middle of it.
    const id = randomUUID()
    const run = clients.connect({ url: stack.ingressUrl }).client(recomputeRunApi, id)
    await run.Start({ report_slug: SCOPE[0], window: SCOPE[1], date_from: day(DAYS - 1), date_to: day(0), actor: 'ada' })
    await stack.kill('postgres')
    await stack.revive('postgres')
    await completed(id)
    expect(await storedSnapshots(stack.db)).toEqual(snapshotsByHand(SCOPE, events, await builtBuckets(stack.db, SCOPE)))
  },
)
