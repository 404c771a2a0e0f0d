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
import { ANYWHERE, type Death } from './endpoint-messages.ts'
import { type CrashStack, startCrashStack } from './stack.ts'
import { until } from '../../src/main/embedded/until.ts'

const DAYS = 20
/** More than the statements, steps and attempts of a run. */
const OCCURRENCES_MAX = 140
/** The endpoint dies at every 20th of them, with a random first one. */
const STEP = 20
/** Days per step: a run has at least ten steps. */
const STEP_DAYS = DAYS / 10
const PATIENCE_MS = 30_000
const SCOPE = ['volume-by-period', 'day'] as const

let stack: CrashStack
beforeAll(async () => {
  stack = await startCrashStack()
}, 60_000)
afterAll(() => stack.stop({ keepFolder: false }))

/** Resolves when a run has completed. @throws after 30 s. */
async function completed(id: string): Promise<void> {
  const statusOf = async () =>
    (await sql<{ status: string }>`select status from recompute_run where run_id = ${id}::uuid`.execute(stack.db)).rows[0]?.status
  const hasCompleted = await until(async () => (await statusOf().catch(() => undefined)) === 'completed', PATIENCE_MS)
  if (!hasCompleted) throw new Error(`the run is ${await statusOf()}`)
}

/** The committed progress of a run. */
async function progressOf(id: string): Promise<[status: string, done: number] | undefined> {
  const { rows } = await sql<{ status: string; done: number }>`
    select status, done from recompute_run where run_id = ${id}::uuid`.execute(stack.db)
  return rows[0] && [rows[0].status, rows[0].done]
}

/** @returns whether the endpoint died during the run. */
async function recomputeAndDie(death: Death): Promise<boolean> {
  const id = randomUUID()
  const run = clients.connect({ url: stack.ingressUrl }).client(recomputeRunApi, id)
  const request = { report_slug: SCOPE[0], window: SCOPE[1], date_from: day(DAYS - 1), date_to: day(0), actor: 'ada' }
  const recompute = async () => {
    await run.Start(request, clients.rpc.opts({ idempotencyKey: id }))
    await completed(id)
  }
  let progress: unknown
  const hasDied = await stack.dieDuring(death, recompute, {
    onDeath: async () => {
      progress = await progressOf(id)
    },
  })
  if (death.point === 'rebuild the buckets') expect(progress).toEqual(['running', death.occurrence * STEP_DAYS])
  expect(await run.Status({})).toMatchObject({ status: 'completed', progress: { done: DAYS, total: DAYS } })
  const { rows } = await sql<{ action: string }>`
    select action from audit_entry where resource_id = ${id} order by audit_id`.execute(stack.db)
  expect(rows.map(({ action }) => action)).toEqual(['run.request', 'run.start', 'run.complete'])
  const runs = await sql`select distinct run_id::text as id from report_bucket`.execute(stack.db)
  expect(runs.rows).toEqual([{ id }])
  return hasDied
}

test(
  'wherever the endpoint is killed, a run completes with its buckets and audit entries once',
  { timeout: 300_000 },
  async () => {
    const events = Array.from({ length: 3 * DAYS }, (_, n) =>
      analyticsEvent({ occurredAtMs: startOf(day(n % DAYS)) + n, processingMs: n, entityId: `order-${n}` }),
    )
    await recordEvents(stack.db, events)
    const first = 1 + (Date.now() % STEP)
    let deaths = 0
    for (let occurrence = first; occurrence <= OCCURRENCES_MAX; occurrence += STEP) {
      const hasDied = await recomputeAndDie({ point: ANYWHERE, occurrence })
      expect(await storedSnapshots(stack.db)).toEqual(snapshotsByHand(SCOPE, events, await builtBuckets(stack.db, SCOPE)))
      if (!hasDied) break
      deaths++
    }
    expect(deaths).toBeGreaterThan(2)
    for (const occurrence of [1, 5]) expect(await recomputeAndDie({ point: 'rebuild the buckets', occurrence })).toBe(true)
    // PostgreSQL is killed during a run, too.
    const id = randomUUID()
    const run = clients.connect({ url: stack.ingressUrl }).client(recomputeRunApi, id)
    await run.Start({ report_slug: SCOPE[0], window: SCOPE[1], date_from: day(DAYS - 1), date_to: day(0), actor: 'ada' })
    await stack.kill('postgres')
    await stack.revive('postgres')
    await completed(id)
    expect(await storedSnapshots(stack.db)).toEqual(snapshotsByHand(SCOPE, events, await builtBuckets(stack.db, SCOPE)))
  },
)
