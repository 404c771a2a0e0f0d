import { randomUUID } from 'node:crypto'
import * as clients from '@restatedev/restate-sdk-clients'
import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { verificationRunApi } from '../../src/contract/services.ts'
import type { VerificationRun } from '../../src/contract/verification-run.ts'
import { until } from '../../src/main/embedded/until.ts'
import { findVerification } from '../../src/store/proof/run-list.ts'
import { interaction, recordAndCount } from '../harness/items/events.ts'
import { ANYWHERE, type Death } from './endpoint-messages.ts'
import { type CrashStack, startCrashStack } from './stack.ts'

const EVENTS = 500
/** More than the statements, steps and attempts of a run. */
const OCCURRENCES_MAX = 200
/** The endpoint dies at every twentieth of them, with a random first one. */
const STEP = 20
const PATIENCE_MS = 60_000

let stack: CrashStack
beforeAll(async () => {
  stack = await startCrashStack()
  await recordAndCount(
    stack.db,
    Array.from({ length: EVENTS }, (_, n) => interaction({ accountId: `a${n % 20}`, refId: `p${n % 50}` })),
  )
}, 60_000)
afterAll(() => stack.stop({ keepFolder: false }))

/** The run, once it has ended. @throws after a minute. */
async function ended(id: string): Promise<VerificationRun> {
  let last: VerificationRun | undefined
  const hasEnded = await until(async () => {
    last = await findVerification(stack.db, id).catch(() => undefined)
    return last?.finished_at !== undefined
  }, PATIENCE_MS)
  if (!hasEnded) throw new Error(`the run is ${JSON.stringify(last)}`)
  return last!
}

const runOf = (id: string) => clients.connect({ url: stack.ingressUrl }).client(verificationRunApi, id)

/** Everything is right but these cells. */
async function expectFound(id: string, driftCount: number): Promise<void> {
  expect(await ended(id)).toMatchObject({ status: 'completed', result: { events: EVENTS, drift_count: driftCount } })
  const { rows } = await sql<{ action: string }>`
    select action from audit_entry where resource_id = ${id} order by audit_id`.execute(stack.db)
  expect(rows.map(({ action }) => action)).toEqual(['verification.request', 'verification.start', 'verification.complete'])
}

/** @returns whether the endpoint died during the run. */
async function runAndDie(death: Death, driftCount: number): Promise<boolean> {
  const id = randomUUID()
  const hasDied = await stack.dieDuring(death, async () => {
    await runOf(id).Start({ actor: 'ada' }, clients.rpc.opts({ idempotencyKey: id }))
    await ended(id)
  })
  await expectFound(id, driftCount)
  return hasDied
}

test(
  'wherever the endpoint is killed, a verification completes once, with what is in the log',
  { timeout: 300_000 },
  async () => {
    const first = 1 + (Date.now() % STEP)
    let deaths = 0
    for (let occurrence = first; occurrence <= OCCURRENCES_MAX; occurrence += STEP) {
      if (!(await runAndDie({ point: ANYWHERE, occurrence }, 0))) break
      deaths++
    }
    expect(deaths).toBeGreaterThan(1)
    // Before the journal knows that the run has completed.
    let hasDied = false
    for (let attempt = 0; attempt < 5 && !hasDied; attempt++)
      hasDied = await runAndDie({ point: 'compare every number', occurrence: 1 }, 0)
    expect(hasDied).toBe(true)
    // A real difference is found, also when PostgreSQL is killed meanwhile.
    await sql`update product_popularity set view_count = view_count + 1 where product_id in ('p1', 'p2')`.execute(stack.db)
    await runAndDie({ point: ANYWHERE, occurrence: first }, 2)
    const id = randomUUID()
    await runOf(id).Start({ actor: 'ada' })
    await stack.kill('postgres')
    await stack.revive('postgres')
    await expectFound(id, 2)
  },
)
