import { randomUUID } from 'node:crypto'
import * as clients from '@restatedev/restate-sdk-clients'
import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { analyticApi, replayRunApi } from '../../src/contract/services.ts'
import { until } from '../../src/main/embedded/until.ts'
import { verify } from '../../src/store/proof/verification.ts'
import { ANYWHERE, type Death } from './endpoint-messages.ts'
import { type CrashStack, startCrashStack } from './stack.ts'
import { waitUntilQuiet } from './wait-until-quiet.ts'

/** Three pages. */
const EVENTS = 120
/** More than the statements, steps and attempts of a run. */
const OCCURRENCES_MAX = 3_000
/** The endpoint dies at each of so many of them, with a random first one. */
const STEP = 300
const PATIENCE_MS = 60_000

let stack: CrashStack
beforeAll(async () => {
  stack = await startCrashStack()
}, 60_000)
afterAll(() => stack.stop({ keepFolder: false }))

async function statusOf(id: string): Promise<string | undefined> {
  const { rows } = await sql<{ status: string }>`select status from replay_run where run_id = ${id}::uuid`.execute(stack.db)
  return rows[0]?.status
}

/** Resolves when a run has completed. @throws after a minute. */
async function completed(id: string): Promise<void> {
  const hasCompleted = await until(async () => (await statusOf(id).catch(() => undefined)) === 'completed', PATIENCE_MS)
  if (!hasCompleted) throw new Error(`the run is ${await statusOf(id)}`)
}

/** Sends events that are rejected because of their ref_type. */
async function reject(product: string): Promise<void> {
  const interactions = Array.from({ length: EVENTS }, () => {
    return { session_id: 's', event_type: 'view', ref_type: 'Thing', ref_id: product }
  })
  const { rejected } = await clients.connect({ url: stack.ingressUrl }).client(analyticApi).CreateInteraction({ interactions })
  expect(rejected).toHaveLength(EVENTS)
}

/** @returns whether the endpoint died during the run. */
async function replayAndDie(death: Death): Promise<boolean> {
  const id = randomUUID()
  await reject(id)
  const run = clients.connect({ url: stack.ingressUrl }).client(replayRunApi, id)
  const hasDied = await stack.dieDuring(death, async () => {
    await run.Start({ code: 'invalid', set: { ref_type: 'Product' }, actor: 'ada' }, clients.rpc.opts({ idempotencyKey: id }))
    await completed(id)
  })
  await proved(id)
  return hasDied
}

/** Each event is in the log once, was counted once, and has one entry in the audit trail; the run says so. */
async function proved(id: string): Promise<void> {
  await waitUntilQuiet(stack)
  const { rows } = await sql<Record<string, string>>`
    select (select count(*) from interaction where ref_id = ${id}) as events,
      (select view_count from product_popularity where product_id = ${id}) as views,
      (select accepted || ' ' || duplicates || ' ' || rejected || ' ' || skipped || ' ' || total from replay_run where run_id = ${id}::uuid) as run,
      (select string_agg(action, ' ' order by audit_id) from audit_entry where resource_id = ${id}) as actions`.execute(stack.db)
  const actions = ['request', 'start', 'complete'].map((action) => `rejected_replay.${action}`).join(' ')
  expect(rows[0]).toMatchObject({ events: String(EVENTS), views: String(EVENTS), run: `${EVENTS} 0 0 0 ${EVENTS}`, actions })
  const replays = await sql<{ n: string }>`
    select count(*) as n from audit_entry where action = 'rejected.replay' group by resource_id having count(*) > 1`.execute(
    stack.db,
  )
  expect(replays.rows).toEqual([])
  expect((await verify(stack.db)).drift).toEqual([])
}

test('wherever the endpoint is killed, a run replays each event once', { timeout: 300_000 }, async () => {
  const first = 1 + (Date.now() % STEP)
  let deaths = 0
  for (let occurrence = first; occurrence <= OCCURRENCES_MAX; occurrence += STEP) {
    if (!(await replayAndDie({ point: ANYWHERE, occurrence }))) break
    deaths++
  }
  expect(deaths).toBeGreaterThan(1)
  // Before the journal knows of the replays, of the progress, and of the end.
  for (const point of ['replay the events', 'note the progress', 'complete the run']) {
    // The end of a run can be seen in PostgreSQL before the endpoint reaches this point. Then it may not die.
    let hasDied = false
    for (let attempt = 0; attempt < 5 && !hasDied; attempt++) hasDied = await replayAndDie({ point, occurrence: 1 })
    expect(hasDied, `it did not reach: ${point}`).toBe(true)
  }
  // PostgreSQL is killed during a run, too.
  const id = randomUUID()
  await reject(id)
  const run = clients.connect({ url: stack.ingressUrl }).client(replayRunApi, id)
  await run.Start({ code: 'invalid', set: { ref_type: 'Product' }, actor: 'ada' })
  await stack.kill('postgres')
  await stack.revive('postgres')
  await completed(id)
  await proved(id)
})
