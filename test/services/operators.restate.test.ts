import { randomBytes, randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { expect } from 'vitest'
import { OPERATOR_TOKEN_HEADER } from '../../src/contract/handler.ts'
import { scheduleApi } from '../../src/contract/services.ts'
import { createIngress } from '../../src/ingress/clients.ts'
import { createRecomputeRunsClient } from '../../src/ingress/recompute-runs-client.ts'
import { StartError } from '../../src/main/config/start-error.ts'
import { until } from '../../src/main/embedded/until.ts'
import { startSchedules } from '../../src/main/start-schedules.ts'
import { gatewayTest } from '../harness/fixtures.ts'
import { HANDLER_INPUTS, PUBLIC_HANDLERS, SIGNING_SECRET } from '../harness/items/handler-inputs.ts'
import { startGateway } from '../harness/servers/gateway.ts'
import { query, type Stack } from '../harness/servers/stack.ts'

const [token, before] = [randomBytes(24).toString('hex'), randomBytes(24).toString('base64url')] as [string, string]
const operator = (stack: Stack) => createIngress({ url: stack.ingressUrl, operatorToken: token })
const anyone = (stack: Stack) => createIngress({ url: stack.ingressUrl })

const test = gatewayTest
  .extend('services', { scope: 'file' }, { deps: { operatorTokens: [token, before] } })
  .extend('gatewayChanges', { scope: 'file' }, ({ stack }) => ({ ingress: operator(stack) }))

// So that the signature of its inputs is right.
test.beforeAll(({ db }) => sql`update access.signing_key set secret = ${SIGNING_SECRET}`.execute(db))

const FOR_OPERATORS = [
  'Access/Change',
  'Alert/Change',
  'Alert/Create',
  'Alert/Delete',
  'Alert/ReplayDelivery',
  'Alert/RotateSecret',
  'Analytic/ReplayRejected',
  'Analytic/Verify',
  'Catalog/PromoteSimilarity',
  'Catalog/PromoteSimilaritySettings',
  'Erasure/Start',
  'RecomputeRun/Cancel',
  'RecomputeRun/Start',
  'ReplayRun/Cancel',
  'ReplayRun/Start',
  'Schedule/Start',
  'Schedule/Stop',
  'Shopper/NoteExport',
  'SimilarityRun/Cancel',
  'SimilarityRun/Start',
  'VerificationRun/Cancel',
  'VerificationRun/Start',
]

async function statuses(stack: Stack, given: string | undefined): Promise<[handler: string, status: number][]> {
  const headers = { 'content-type': 'application/json', ...(given !== undefined && { [OPERATOR_TOKEN_HEADER]: given }) }
  const answers = PUBLIC_HANDLERS.map(async (path): Promise<[string, number]> => {
    const body = JSON.stringify(HANDLER_INPUTS[path])
    const { status } = await fetch(`${stack.ingressUrl}/${path}`, { method: 'POST', headers, body })
    return [path.replace(/\/.*\//, '/'), status]
  })
  return Promise.all(answers)
}

test.for([undefined, '', 'wrong', `${token} `.slice(1), token.toUpperCase(), `${token}, ${before}`])(
  'exactly the handlers for operators refuse the token %o',
  async (given, { stack }) => {
    const refused = (await statuses(stack, given)).filter(([, status]) => status === 403)
    expect(refused.map(([handler]) => handler).sort()).toEqual(FOR_OPERATORS)
  },
)

test.for([token, before])('each of the two tokens of a change is taken', async (given, { stack }) => {
  expect((await statuses(stack, given)).filter(([, status]) => status === 403)).toEqual([])
})

const REQUEST = { report_slug: 'volume-by-period', window: 'day', date_from: '2026-03-01', date_to: '2026-03-01' } as const

test('a run of an operator is executed by calls that carry no token, and ends', async ({ stack }) => {
  const runs = createRecomputeRunsClient(operator(stack))
  const { id } = await runs.start({ ...REQUEST, actor: 'ada' })
  expect(await until(async () => (await runs.status(id)).status === 'completed', 20_000)).toBe(true)
})

test("the gateway of a key's owner carries the token, and another gateway is told that it lacks it", async ({
  database,
  gateway,
  stack,
}) => {
  const start = async (url: string) => {
    const headers = { 'content-type': 'application/json', 'idempotency-key': randomUUID() }
    const answer = await fetch(`${url}/api/v1/recomputations`, { method: 'POST', headers, body: JSON.stringify(REQUEST) })
    return { status: answer.status, body: await answer.json() }
  }
  expect(await start(gateway.url)).toMatchObject({ status: 202 })
  const without = await startGateway(database.url, stack, { ingress: anyone(stack) })
  expect(await start(without.url)).toMatchObject({
    status: 403,
    body: { error: { code: 'forbidden', message: expect.stringContaining(OPERATOR_TOKEN_HEADER) } },
  })
  await without.stop()
})

test('schedules start with the token, and a start without it fails with a sentence', async ({ stack }) => {
  const retention = {
    retentionDays: undefined,
    rollUpAfterDays: undefined,
    rejectedDays: 90,
    ignoredWebhookDays: 7,
    impressionDays: 90,
    deliveryDays: 30,
  }
  await startSchedules(operator(stack), retention)
  const sweep = stack.ingress.client(scheduleApi, 'sweep')
  expect(await until(async () => (await sweep.Info({})).last_run?.outcome === 'completed', 20_000)).toBe(true)
  await expect(startSchedules(anyone(stack), retention)).rejects.toThrow(StartError)
  await expect(startSchedules(anyone(stack), retention)).rejects.toThrow(/schedule of \S+ was not changed: only operators may/)
  expect(await sweep.Info({})).toMatchObject({ running: true })
})

test('Restate keeps no token of a call that has ended', async ({ stack }) => {
  await operator(stack).call(scheduleApi, 'Stop', {}, { key: 'sweep' })
  const rows = await query(stack, "select entry_json from sys_journal where entry_json like '%operator-token%'")
  expect(rows).toEqual([])
})
