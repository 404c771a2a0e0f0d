import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { expect } from 'vitest'
import { TASKS } from '../../services/tasks/all.ts'
import { WATCH_RUNS, watchSilentRuns } from '../../services/tasks/watch-runs.ts'
import { analyticApi, erasureApi, scheduleApi } from '../../src/contract/services.ts'
import { until } from '../../src/main/embedded/until.ts'
import { createWaitingCalls } from '../../src/main/endpoint/waiting-calls.ts'
import type { Database } from '../../src/store/database/connection.ts'
import { requestErasure } from '../../src/store/erasure/run-machine.ts'
import { proxiedTest } from '../harness/proxied-fixtures.ts'
import { clear } from '../harness/servers/database.ts'
import { query, type Stack, startStack } from '../harness/servers/stack.ts'

const PLACES = 2
const LANES = 4
const tasks = { ...TASKS, 'watch at once': { ...WATCH_RUNS, everyMs: 100, run: watchSilentRuns(50) } }

/** The services reach PostgreSQL through a proxy. */
const test = proxiedTest.extend('stack', { scope: 'file' }, async ({ proxied }, { onCleanup }) => {
  const stack = await startStack(proxied, { tasks, waitingCalls: createWaitingCalls({ placesMax: PLACES, leavingMax: 0 }) })
  onCleanup(stack.stop)
  return stack
})
test.beforeEach(({ db }) => clear(db))

const ids = (count: number) => Array.from({ length: count }, () => randomUUID())
const start = (stack: Stack, id: string) =>
  stack.ingress.client(erasureApi, id).Start({ shopper_id: `session:of-${id}`, actor: 'ada' })

/** Calls that have not ended, by service and whether they hold a place of Restate. */
async function callsOf(stack: Stack, service: string): Promise<{ id: string; run: string; holdsPlace: boolean }[]> {
  const rows = await query(
    stack,
    `select id, idempotency_key as run, status from sys_invocation where target_service_name = '${service}' and status <> 'completed'`,
  ).catch(() => [])
  return rows.map(({ id, run, status }) => ({
    id: String(id),
    run: String(run),
    holdsPlace: status === 'running' || status === 'backing-off',
  }))
}

const eventually = async (isSo: () => Promise<boolean>) => expect(await until(isSo, 30_000)).toBe(true)
const statusesOf = async (db: Database) =>
  (await sql<{ status: string }>`select status from erasure_run group by 1`.execute(db)).rows.map(({ status }) => status)

/** Does the work while no erasure can write its tombstones. */
async function whileHeld(db: Database, work: () => Promise<void>): Promise<void> {
  const [held, release] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const holding = db.transaction().execute(async (tx) => {
    await sql`lock table erasure_shopper in access exclusive mode`.execute(tx)
    held.resolve()
    await release.promise
  })
  await held.promise
  await work().finally(() => release.resolve())
  await holding
}

test(
  'in an outage a few requests of erasures wait, the others are refused, and other calls are answered',
  { timeout: 90_000 },
  async ({ db, proxy, stack }) => {
    await proxy.cut()
    const kept: Promise<unknown>[] = []
    try {
      kept.push(...ids(PLACES).map((id) => start(stack, id)))
      await eventually(async () => (await callsOf(stack, 'Erasure')).filter(({ holdsPlace }) => holdsPlace).length === PLACES)
      const refused = await Promise.allSettled(ids(30).map((id) => start(stack, id)))
      expect(refused.map((answer) => answer.status === 'rejected' && (answer.reason as { status: number }).status)).toEqual(
        refused.map(() => 503),
      )
      expect(await callsOf(stack, 'Erasure')).toHaveLength(PLACES)
      await stack.ingress.client(analyticApi).Ping({})
    } finally {
      await proxy.mend()
    }
    await Promise.all(kept)
    await eventually(async () => (await statusesOf(db)).join() === 'completed')
  },
)

test(
  'of many erasures a few work or wait at a time, each is sent once, and all complete',
  { timeout: 120_000 },
  async ({ db, proxy, stack }) => {
    const runs = ids(40)
    const watch = stack.ingress.client(scheduleApi, 'watch at once')
    const holdingPlaces = async () => (await callsOf(stack, 'ErasureLane')).filter(({ holdsPlace }) => holdsPlace).length
    try {
      await whileHeld(db, async () => {
        await Promise.all(runs.map((id) => start(stack, id)))
        await eventually(async () => (await callsOf(stack, 'ErasureLane')).length === runs.length)
        await watch.Start({ every_ms: 100 })
        const sentAgain = async () =>
          (
            await query(
              stack,
              "select id from sys_invocation where target_service_name = 'Erasure' and idempotency_key like 'resume %'",
            )
          ).length
        // The watch has sent each run again several times.
        await eventually(async () => (await sentAgain()) > 3 * runs.length)
        expect(await callsOf(stack, 'ErasureLane')).toHaveLength(runs.length)
        expect(await holdingPlaces()).toBeLessThanOrEqual(LANES)
        await watch.Stop({})
        // PostgreSQL goes away under them.
        await proxy.cut()
        await stack.ingress.client(analyticApi).Ping({})
        expect(await holdingPlaces()).toBeLessThanOrEqual(LANES)
      })
    } finally {
      await proxy.mend()
    }
    await eventually(async () => (await statusesOf(db)).join() === 'completed')
  },
)

test(
  'a run whose call was killed goes on, and so does one without a call, e.g. of the release before',
  { timeout: 90_000 },
  async ({ db, stack }) => {
    const [killed, lost] = ids(2) as [string, string]
    const watch = stack.ingress.client(scheduleApi, 'watch at once')
    await whileHeld(db, async () => {
      await requestErasure(db, lost, { shopper_id: 'session:of-lost', actor: 'ada' })
      await start(stack, killed)
      await eventually(async () => (await callsOf(stack, 'ErasureLane')).length === 1)
      const [call] = await callsOf(stack, 'ErasureLane')
      expect((await fetch(`${stack.adminUrl}/invocations/${call!.id}/kill`, { method: 'PATCH' })).ok).toBe(true)
      await eventually(async () => (await callsOf(stack, 'ErasureLane')).length === 0)
      await watch.Start({ every_ms: 100 })
      await eventually(async () => (await callsOf(stack, 'ErasureLane')).length === 2)
    })
    await eventually(async () => (await statusesOf(db)).join() === 'completed')
    await watch.Stop({})
  },
)

test(
  'a working run whose call is cancelled fails, and one that waits in a lane comes back',
  { timeout: 90_000 },
  async ({ db, stack }) => {
    const runs = ids(12)
    const watch = stack.ingress.client(scheduleApi, 'watch at once')
    const cancelled: string[] = []
    await whileHeld(db, async () => {
      await Promise.all(runs.map((id) => start(stack, id)))
      await eventually(async () => (await callsOf(stack, 'ErasureLane')).length === runs.length)
      const calls = await callsOf(stack, 'ErasureLane')
      for (const call of [calls.find(({ holdsPlace }) => holdsPlace)!, calls.find(({ holdsPlace }) => !holdsPlace)!]) {
        expect((await fetch(`${stack.adminUrl}/invocations/${call.id}/cancel`, { method: 'PATCH' })).ok).toBe(true)
        cancelled.push(call.run)
      }
    })
    await eventually(async () => (await callsOf(stack, 'ErasureLane')).length === 0)
    const ofStatus = async (status: string) =>
      (await sql<{ id: string }>`select run_id as id from erasure_run where status = ${status}`.execute(db)).rows.map(
        ({ id }) => id,
      )
    expect(await ofStatus('failed')).toEqual(cancelled.slice(0, 1))
    await watch.Start({ every_ms: 100 })
    await eventually(async () => (await ofStatus('completed')).length === runs.length - 1)
    await watch.Stop({})
    expect(await ofStatus('failed')).toEqual(cancelled.slice(0, 1))
  },
)
