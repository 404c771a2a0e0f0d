import { randomUUID } from 'node:crypto'
import * as clients from '@restatedev/restate-sdk-clients'
import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { similarityRunApi } from '../../src/contract/services.ts'
import { until } from '../../src/main/embedded/until.ts'
import { verify } from '../../src/store/proof/verification.ts'
import { createServedVersions } from '../../src/store/similarity/served-versions.ts'
import { similarityVersions } from '../../src/store/similarity/version.ts'
import { interaction, record } from '../harness/items/events.ts'
import { ANYWHERE, type Death } from './endpoint-messages.ts'
import { type CrashStack, startCrashStack } from './stack.ts'

/** Three statements write their rows. */
const PRODUCTS = 1_100
const SHOPPERS = 200
/** More than the statements, steps and attempts of a run. */
const OCCURRENCES_MAX = 100
/** The endpoint dies at every tenth of them, with a random first one. */
const STEP = 10
const PATIENCE_MS = 120_000

let stack: CrashStack
beforeAll(async () => {
  stack = await startCrashStack()
  await record(
    stack.db,
    Array.from({ length: 5 * PRODUCTS }, (_, n) =>
      interaction({
        accountId: `a${n % SHOPPERS}`,
        refId: `p${(n * 7) % PRODUCTS}`,
        occurredAtMs: Date.now() - 10_000_000 + n * 1_000,
      }),
    ),
  )
}, 60_000)
afterAll(() => stack.stop({ keepFolder: false }))

/** Resolves when a run has completed. @throws when it does not in time. */
async function completed(id: string): Promise<void> {
  const statusOf = async () =>
    (await sql<{ status: string }>`select status from similarity_run where run_id = ${id}::uuid`.execute(stack.db)).rows[0]
      ?.status
  const hasCompleted = await until(async () => (await statusOf().catch(() => undefined)) === 'completed', PATIENCE_MS)
  if (!hasCompleted) throw new Error(`the run is ${await statusOf()}`)
}

/** Reads rows of the version in force until it is told to stop. Every version that it sees is whole. */
function readMeanwhile() {
  const served = createServedVersions({ db: stack.db, bytesMax: 0, pollMs: 0 })
  let isOver = false
  const seen = new Set<number>()
  const reading = (async () => {
    while (!isOver) {
      await served.withVersion(async (version) => {
        if (version === undefined) return
        expect(version.ids).toHaveLength(PRODUCTS)
        for (const productNo of [0, PRODUCTS >> 1, PRODUCTS - 1]) {
          const { row } = await version.rows([productNo, (productNo * 13) % PRODUCTS])
          expect(row(productNo)!.neighbours.length).toBeGreaterThan(0)
        }
        seen.add(version.version)
      })
    }
  })()
  return async () => {
    isOver = true
    await reading
    return seen
  }
}

async function proved(): Promise<void> {
  const { drift, similarity } = await verify(stack.db)
  expect(drift).toEqual([])
  expect(similarity).toMatchObject({ products: PRODUCTS, rows: expect.any(Number) as number })
  expect(similarity!.rows).toBeGreaterThan(0)
}

/** @returns whether the endpoint died during the run. */
async function runAndDie(death: Death): Promise<boolean> {
  const id = randomUUID()
  const run = clients.connect({ url: stack.ingressUrl }).client(similarityRunApi, id)
  const before = await similarityVersions(stack.db)
  const stopReading = readMeanwhile()
  let atDeath: unknown
  const hasDied = await stack.dieDuring(
    death,
    async () => {
      await run.Start({ actor: 'ada' }, clients.rpc.opts({ idempotencyKey: id }))
      await completed(id)
    },
    {
      onDeath: async () => {
        atDeath = await similarityVersions(stack.db)
      },
    },
  )
  if (death.point === 'make a version') expect(atDeath).toEqual(before)
  const [version] = await similarityVersions(stack.db)
  expect(version).toMatchObject({ run_id: id, products: PRODUCTS, events: 5 * PRODUCTS })
  const seen = await stopReading()
  for (const each of seen) expect([before[0]?.version, version!.version]).toContain(each)
  const { rows } = await sql<{ action: string }>`
    select action from audit_entry where resource_id = ${id} order by audit_id`.execute(stack.db)
  expect(rows.map(({ action }) => action)).toEqual(['similarity.request', 'similarity.start', 'similarity.complete'])
  await proved()
  return hasDied
}

test('wherever the endpoint is killed, a run completes once, and readers see whole versions', { timeout: 300_000 }, async () => {
  const first = 1 + (Date.now() % STEP)
  let deaths = 0
  for (let occurrence = first; occurrence <= OCCURRENCES_MAX; occurrence += STEP) {
    if (!(await runAndDie({ point: ANYWHERE, occurrence }))) break
    deaths++
  }
  expect(deaths).toBeGreaterThan(1)
  // Before the journal knows of the version, and before it knows of the end.
  for (const point of ['make a version', 'complete the run']) {
    // The end of a run can be seen in PostgreSQL before the endpoint reaches this point. Then it may not die.
    let hasDied = false
    for (let attempt = 0; attempt < 5 && !hasDied; attempt++) hasDied = await runAndDie({ point, occurrence: 1 })
    expect(hasDied, `it did not reach: ${point}`).toBe(true)
  }
  // PostgreSQL is killed during a run, too.
  const id = randomUUID()
  await clients.connect({ url: stack.ingressUrl }).client(similarityRunApi, id).Start({ actor: 'ada' })
  await stack.kill('postgres')
  await stack.revive('postgres')
  await completed(id)
  await proved()
  // What attempts left behind is deleted.
  const isClean = async () =>
    (await sql`select version from similarity_version`.execute(stack.db)).rows.length === 2 &&
    (await sql`select distinct version from similarity_row`.execute(stack.db)).rows.length === 2
  expect(await until(isClean, PATIENCE_MS)).toBe(true)
})
