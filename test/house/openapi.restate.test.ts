import { subscribe } from 'node:diagnostics_channel'
import { Validator } from '@seriousme/openapi-schema-validator'
import type { FastifyInstance, RouteOptions } from 'fastify'
import { sql } from 'kysely'
import { expect } from 'vitest'
import type { PaymentAdapter } from '../../src/contract/payment-adapter.ts'
import { makeAlert } from '../harness/items/alerts.ts'
import { signatureOf } from '../../src/external/webhook-signature.ts'
import { createIngress, type Ingress } from '../../src/ingress/clients.ts'
import { until } from '../../src/main/embedded/until.ts'
import { createApiKey, insertApiKey, type NewApiKey } from '../../src/store/access/api-key.ts'
import { cancelSimilarityRun, requestSimilarityRun } from '../../src/store/similarity/run-machine.ts'
import { cancelVerification, requestVerification } from '../../src/store/proof/run-machine.ts'
import { EVIDENCE } from '../harness/items/ranking-settings.ts'
import { makeKey } from '../harness/items/keys.ts'
import { madeVersion } from '../harness/items/similarity.ts'
import { cancelReplayRun, requestReplayRun } from '../../src/store/log/replay-run-machine.ts'
import { requestErasure } from '../../src/store/erasure/run-machine.ts'
import { requestRun } from '../../src/store/reports/run-request.ts'
import { type DescribedOperation, type OpenApiDocument, mismatchOf, operationsOf } from '../harness/clients/openapi-document.ts'
import { type GatewayChanges, PAYMENT_SECRET, SETTINGS, startGateway, type TestGateway } from '../harness/servers/gateway.ts'
import { gatewayTest } from '../harness/fixtures.ts'
import type { Database } from '../../src/store/database/connection.ts'

const STRIPE: PaymentAdapter = { provider: 'stripe', isSigned: () => true, callbacksOf: () => [] }

const test = gatewayTest.extend(
  'gatewayChanges',
  { scope: 'file' },
  {
    paymentWebhooks: { secrets: [PAYMENT_SECRET], adapters: [STRIPE] },
    kafkaLag: async () => ({ data: [], meta: { missing_topics: ['interactions'] } }),
  },
)

/** The API. Other addresses are for people, for programs that read the document, and for Prometheus. */
const OF_API = /^\/(api\/|health$|ready$)/

const routes: RouteOptions[] = []
subscribe('fastify.initialization', (message) => {
  const { fastify } = message as { fastify: FastifyInstance }
  fastify.addHook('onRoute', (route) => void routes.push(route))
})

let document: OpenApiDocument
let operations: DescribedOperation[]
test.beforeAll(async ({ gateway }) => {
  document = await documentOf(gateway)
  operations = operationsOf(document)
})

async function documentOf({ url }: TestGateway): Promise<OpenApiDocument> {
  return (await (await fetch(`${url}/openapi.json`)).json()) as OpenApiDocument
}

test('the document is valid OpenAPI 3.1', async () => {
  expect(await new Validator().validate({ ...document })).toEqual({ valid: true })
})

test('every route is in the document or deliberately hidden', () => {
  const described = operations.map(({ method, path }) => `${method} ${path.replaceAll(/\{(\w+)\}/g, ':$1')}`)
  const served = routes
    .filter(({ url, method }) => method !== 'HEAD' && OF_API.test(url))
    .map(({ method, url }) => `${String(method)} ${url}`)
  expect(served.length).toBeGreaterThan(5)
  expect([...new Set(served)].toSorted()).toEqual(described.toSorted())
})

test('every operation has a summary, a description, and examples that match their schemas', () => {
  expect(new Set(operations.map(({ operationId }) => operationId)).size).toBe(operations.length)
  const tags = document.tags.map(({ name }) => name)
  for (const operation of operations) {
    for (const text of [operation.operationId, operation.summary, operation.description]) expect(text).toMatch(/\w+/)
    expect(tags).toContain(operation.tags[0])
    for (const { description } of operation.parameters ?? []) expect(description).toMatch(/\w+/)
    const answers = Object.values(operation.responses).map(({ description, content }) => {
      expect(description).not.toBe('Default Response')
      return content
    })
    for (const content of [...answers, operation.requestBody?.content ?? {}]) {
      for (const media of Object.values(content)) {
        expect(media.example).toBeDefined()
        expect(mismatchOf(document, media, media.example)).toBeUndefined()
      }
    }
  }
})

test("an operation's security follows from the access of its route, and its errors are described", async ({
  database,
  stack,
}) => {
  const configOf = ({ method, path }: DescribedOperation) =>
    routes.find((route) => route.method === method && route.url === path.replaceAll(/\{(\w+)\}/g, ':$1'))!.config
  const open = await startGateway(database.url, stack, { settings: { ...SETTINGS, isPublic: true } })
  const reachable = operationsOf(await documentOf(open))
  await open.stop()
  for (const [place, operation] of operations.entries()) {
    const { access = 'open', needsSecretKey = false } = configOf(operation) ?? {}
    const scopes = access === 'any' ? [] : [access]
    const ways = access === 'open' ? [] : [{ key: scopes }, { management_key: scopes }]
    if (access === 'ingest' && !needsSecretKey) ways.push({ publishable_key: [] } as never)
    expect(operation.security).toEqual(access === 'open' ? [] : [...ways, {}])
    expect(reachable[place]!.security).toEqual(ways)
    const statuses = Object.keys(operation.responses)
    expect(statuses).toEqual(expect.arrayContaining([successOf(operation), '400', '403', '500', '503']))
    expect(statuses.includes('401') && statuses.includes('429')).toBe(access !== 'open')
  }
})

/** Sends the request of an operation's own examples. */
function send(
  gateway: TestGateway,
  { method, path, parameters = [], requestBody }: DescribedOperation,
  headers: Record<string, string> = {},
) {
  const filled = parameters
    .filter(({ in: where }) => where === 'path')
    .reduce((text, { name, example }) => text.replace(`{${name}}`, encodeURIComponent(example!)), path)
  const query = parameters.filter(({ in: where, example }) => where === 'query' && example !== undefined)
  const url = `${gateway.url}${filled}?${new URLSearchParams(query.map(({ name, example }): [string, string] => [name, example!])).toString()}`
  const [type, media] = Object.entries(requestBody?.content ?? {})[0] ?? []
  if (media === undefined) return fetch(url, { method, headers })
  const body = JSON.stringify(media.example)
  const signature = signatureOf(body, PAYMENT_SECRET, Date.now())
  return fetch(url, { method, headers: { 'content-type': type!, 'x-signature': signature, ...headers }, body })
}

/** The status of a successful call without `prefer: respond-async`. */
const successOf = ({ responses }: DescribedOperation) => ['200', '201'].find((status) => status in responses) ?? '202'

/** Makes the runs that the examples name, without work on it. The days of the examples are kept, however old they are. */
async function makeExampleRun(db: Database): Promise<void> {
  await sql`update aggregate_window set retention_days = 100000`.execute(db)
  const { parameters = [] } = operations.find(({ operationId }) => operationId === 'recomputation')!
  const today = new Date().toISOString().slice(0, 10)
  await requestRun(db, parameters.find(({ name }) => name === 'id')!.example!, {
    ...{ report_slug: 'top-entities', window: 'day', date_from: today, date_to: today, actor: 'ada' },
  })
  const erasure = operations.find(({ operationId }) => operationId === 'erasure')!
  const id = erasure.parameters!.find(({ name }) => name === 'id')!.example!
  await requestErasure(db, id, { shopper_id: 'account:nobody', actor: 'ada' })
  await makeExampleSimilarity(db)
  await makeExampleAlert(db)
  await makeExampleRejected(db)
}

/** A rejected event, and a cancelled run of its code, so that another one can be requested. */
async function makeExampleRejected(db: Database): Promise<void> {
  await sql`
    insert into interaction_batch (batch_id, occurred_from, occurred_to, events, invocation_id, body_sha256, kind, scored_at, fed_at, tombstone_no)
    overriding system value values (1, now(), now(), 0, 'example', '', 'interaction', now(), now(), 0) on conflict do nothing`.execute(
    db,
  )
  await sql`
    insert into rejected_interaction (batch_id, index, code, message, item, kind)
    values (1, 2, 'invalid', 'is missing', '{}', 'interaction') on conflict do nothing`.execute(db)
  const { parameters = [] } = operations.find(({ operationId }) => operationId === 'rejectedReplay')!
  const id = parameters.find(({ name }) => name === 'id')!.example!
  await requestReplayRun(db, id, { code: 'invalid', actor: 'ada' })
  await cancelReplayRun(db, id, { actor: 'ada' })
}

/** An alert, and a delivery of it that can be replayed. */
async function makeExampleAlert(db: Database): Promise<void> {
  const { parameters = [] } = operations.find(({ operationId }) => operationId === 'replayAlertDelivery')!
  const [alertId, deliveryId] = ['id', 'delivery_id'].map((of) => parameters.find(({ name }) => name === of)!.example!)
  await makeAlert(db, { alert_id: alertId! })
  await sql`
    insert into alert_crossing (delivery_id, alert_id, subject, facts, status, finished_at)
    values (${deliveryId}::uuid, ${alertId}::uuid, 'lamp', '{}', 'delivered', now())`.execute(db)
}

/** The key and the session that the examples name. @returns the header with a key that may do everything. */
async function makeExampleKey(db: Database, gateway: TestGateway): Promise<{ authorization: string }> {
  const exampleOf = (operationId: string) =>
    operations.find((operation) => operation.operationId === operationId)!.parameters!.find(({ name }) => name === 'id')!.example!
  const { text, keyId } = await makeKey(db, { scopes: ['ingest', 'read', 'manage'] })
  const key = { name: 'x', scopes: ['read'] as const, isPublishable: false, origins: [], sellerId: null, requestsPerMinute: null }
  await insertApiKey(db, key, { keyId: exampleOf('revokeKey'), secret: '' })
  await sql`
    insert into access.session (session_id, id_sha256, key_id, expires_at)
    values (${exampleOf('endSession')}::uuid, sha256('x'), ${keyId}, now() + interval '1 day')`.execute(db)
  expect(await keysAreNeeded(gateway, true)).toBe(true)
  return { authorization: `Bearer ${text}` }
}

function keysAreNeeded({ url }: TestGateway, areNeeded: boolean): Promise<boolean> {
  return until(async () => ((await fetch(`${url}/api/v1/keys`)).status === 401) === areNeeded, 5_000)
}

/** Cancelled runs, so that others can be requested, and a version. */
async function makeExampleSimilarity(db: Database): Promise<void> {
  const exampleOf = (operationId: string) =>
    operations.find((operation) => operation.operationId === operationId)!.parameters!.find(({ in: where }) => where === 'path')!
      .example!
  const runId = exampleOf('similarityRun')
  await requestSimilarityRun(db, runId, { kind: 'requested', actor: 'ada' })
  await cancelSimilarityRun(db, runId, { actor: 'ada' })
  const verification = exampleOf('verification')
  await requestVerification(db, verification, { actor: 'ada' })
  await cancelVerification(db, verification, { actor: 'ada' })
  const settings = Number(exampleOf('promoteSimilaritySettings'))
  await sql`
    insert into similarity_settings (settings_version, source, made_by, settings, evidence)
    values (${settings}, 'tuned', 'ada', '{}', ${JSON.stringify(EVIDENCE)}::jsonb)`.execute(db)
  const version = Number(exampleOf('promoteSimilarityVersion'))
  await sql`alter table similarity_version alter version restart with ${sql.lit(version)}`.execute(db)
  await madeVersion(db, 1)
}

const recording = () => operations.find(({ operationId }) => operationId === 'recordInteractions')!

test('the real servers answer every example as described', async ({ db, stack, gateway }) => {
  await send(gateway, recording())
  await stack.settled()
  await makeExampleRun(db)
  // A deleted alert cannot be changed, and with a key every request needs one.
  const placeOf = ({ operationId, tags }: DescribedOperation) =>
    tags.includes('keys') ? 2 : operationId === 'deleteAlert' ? 1 : 0
  let headers = {}
  for (const operation of operations.toSorted((a, b) => placeOf(a) - placeOf(b))) {
    if (placeOf(operation) === 2 && !('authorization' in headers)) headers = await makeExampleKey(db, gateway)
    const answer = await send(gateway, operation, headers)
    const success = successOf(operation)
    expect([operation.path, String(answer.status)]).toEqual([operation.path, success])
    const [type, media] = Object.entries(operation.responses[success]!.content)[0]!
    expect(answer.headers.get('content-type')).toContain(type)
    const body = type === 'application/json' ? await answer.json() : await answer.text()
    expect(mismatchOf(document, media, body)).toBeUndefined()
  }
  // The other tests ask without a key.
  await sql`delete from api_key`.execute(db)
  expect(await keysAreNeeded(gateway, false)).toBe(true)
})

test('a text/plain body is described, and read as JSON', async ({ gateway }) => {
  const { 'text/plain': beacon } = recording().requestBody!.content
  const answer = await fetch(gateway.url + recording().path, { method: 'POST', body: JSON.stringify(beacon!.example) })
  expect(answer.status).toBe(200)
})

test.for([
  ['DELETE', '/api/v1/analytic/interaction', 405, 'POST'],
  ['POST', '/api/v1/analytic/popularity/lamp', 405, 'GET, HEAD'],
  ['QUERY', '/health', 405, 'GET, HEAD'],
  ['POST', '/api/v1/nowhere', 404, null],
  ['GET', '/docs/nowhere', 404, null],
] as const)('%s %s is answered %i', async ([method, path, status, allow], { gateway }) => {
  const answer = await fetch(gateway.url + path, { method, ...(method === 'POST' && { body: '{ no JSON' }) })
  expect(answer.status).toBe(status)
  expect(answer.headers.get('allow')).toBe(allow)
  expect(await answer.json()).toMatchObject({ error: { code: status === 405 ? 'method_not_allowed' : 'not_found' } })
})

test('an Idempotency-Key that Restate would not accept is refused', async ({ gateway }) => {
  for (const key of ['é', 'a\tb', 'x'.repeat(256)])
    expect((await send(gateway, recording(), { 'idempotency-key': key })).status).toBe(400)
})

test('an answer carries the request id that was sent, if it is plain', async ({ gateway }) => {
  const own = await fetch(`${gateway.url}/health`, { headers: { 'x-request-id': 'checkout-1' } })
  expect(own.headers.get('x-request-id')).toBe('checkout-1')
  const other = await fetch(`${gateway.url}/nowhere`, { headers: { 'x-request-id': 'not plain' } })
  expect(other.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/)
})

test('/docs and its policy let a browser load nothing from another origin', async ({ gateway }) => {
  const page = await fetch(`${gateway.url}/docs`)
  const html = await page.text()
  const links = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map((match) => match[1]!)
  expect(links.length).toBeGreaterThan(4)
  for (const link of links) {
    expect(link).toMatch(/^\/docs\/static\//)
    const file = await fetch(gateway.url + link)
    expect(file.status).toBe(200)
    const text = await file.text()
    if (link.endsWith('.css')) expect(text).not.toMatch(/@import|url\(["']?https?:/)
  }
  const policy = page.headers.get('content-security-policy')!
  const sources = policy.split('; ').flatMap((directive) => directive.split(' ').slice(1))
  expect(new Set(sources)).toEqual(new Set(["'none'", "'self'", "'unsafe-inline'", 'data:']))
  expect(policy).toContain("script-src 'self';")
  // Other pages keep the strict policy.
  const { headers } = await fetch(`${gateway.url}/health`)
  expect(headers.get('content-security-policy')).toBe("default-src 'none'; frame-ancestors 'none'")
})

/** Calls of a gateway that knows keys, one for each answer that the document names for recording. */
async function callsByStatus(
  db: Database,
  start: (changes: GatewayChanges) => Promise<TestGateway>,
): Promise<Record<string, () => Promise<Response>>> {
  const key = async (changes: Partial<NewApiKey> = {}) => {
    const { text } = await createApiKey(db, { ...NEW_KEY, ...changes })
    return { authorization: `Bearer ${text}` }
  }
  const ingest = await key()
  const guarded = await start({})
  return {
    200: () => send(guarded, recording(), ingest),
    202: () => send(guarded, recording(), { ...ingest, prefer: 'respond-async' }),
    400: () => fetch(guarded.url + recording().path, { method: 'POST', headers: ingest, body: '{"interactions": []}' }),
    401: () => send(guarded, recording()),
    // A gateway that starts after a key was made knows it from the beginning.
    403: async () => {
      const headers = await key({ scopes: ['read'] })
      return send(await start({}), recording(), headers)
    },
    409: async () => {
      const headers = { ...ingest, 'idempotency-key': 'checkout-4711', 'content-type': 'application/json' }
      const body = JSON.stringify({ interactions: [{ other: 'body' }] })
      await fetch(guarded.url + recording().path, { method: 'POST', headers, body })
      return send(guarded, recording(), headers)
    },
    413: async () => {
      const headers = { ...(await key({ isPublishable: true, origins: [PAGE] })), origin: PAGE }
      const { url } = await start({})
      return fetch(url + recording().path, { method: 'POST', headers, body: ' '.repeat(65 * 1024) })
    },
    429: async () => {
      const slow = await key({ requestsPerMinute: 1 })
      const limited = await start({})
      await send(limited, recording(), slow)
      return send(limited, recording(), slow)
    },
    500: async () => send(await start({ ingress: failingIngress() }), recording(), ingest),
    503: async () => send(await start({ limits: { queueEventsMax: 0 } }), recording(), ingest),
  }
}

const PAGE = 'https://shop.example'
const NEW_KEY: NewApiKey = {
  name: 'test',
  scopes: ['ingest'],
  isPublishable: false,
  origins: [],
  sellerId: null,
  requestsPerMinute: null,
}

/** Its calls fail for a reason that the gateway does not expect. */
function failingIngress(): Ingress {
  const callWithJson = () => Promise.reject(new Error('a fault of ours'))
  return { ...createIngress({ url: 'http://127.0.0.1:1' }), callWithJson }
}

// Last, because the other gateway wants a key as soon as there is one.
test('every answer that the document names for recording occurs, as described', async ({ db, database, stack }) => {
  const gateways: TestGateway[] = []
  const start = async (changes: GatewayChanges) => {
    const started = await startGateway(database.url, stack, changes)
    gateways.push(started)
    return started
  }
  const calls = await callsByStatus(db, start)
  expect(Object.keys(calls)).toEqual(Object.keys(recording().responses))
  for (const [status, call] of Object.entries(calls)) {
    const answer = await call()
    expect(answer.status).toBe(Number(status))
    const { headers = {}, content } = recording().responses[status]!
    for (const name of Object.keys(headers)) expect(answer.headers.get(name)).toMatch(/\w/)
    const media = content['application/json']!
    const body = (await answer.json()) as { error?: { code: string } }
    expect(mismatchOf(document, media, body)).toBeUndefined()
    expect(body.error?.code).toBe((media.example as { error?: { code: string } }).error?.code)
  }
  await Promise.all(gateways.map((gateway) => gateway.stop()))
})
