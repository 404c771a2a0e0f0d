import { subscribe } from 'node:diagnostics_channel'
import { Validator } from '@seriousme/openapi-schema-validator'
import type { FastifyInstance, RouteOptions } from 'fastify'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import type { PaymentAdapter } from '../../src/contract/payment-adapter.ts'
import { signatureOf } from '../../src/gateway/access/webhook-signature.ts'
import { createIngress, type Ingress } from '../../src/ingress/clients.ts'
import { createApiKey, type NewApiKey } from '../../src/store/access/api-key.ts'
import { requestRun } from '../../src/store/reports/run-request.ts'
import { createDatabase, type TestDatabase } from '../harness/servers/database.ts'
import { type DescribedOperation, type OpenApiDocument, mismatchOf, operationsOf } from '../harness/clients/openapi-document.ts'
import { PAYMENT_SECRET, SETTINGS, startGateway, type TestGateway } from '../harness/servers/gateway.ts'
import { type Stack, startStack } from '../harness/servers/stack.ts'

/** For people, programs that read the document, and Prometheus: no part of the API. */
const HIDDEN = [/^\/$/, /^\/openapi\.json$/, /^\/docs(\/|$)/, /^\/metrics$/, /^\*$/]

const routes: RouteOptions[] = []
subscribe('fastify.initialization', (message) => {
  const { fastify } = message as { fastify: FastifyInstance }
  fastify.addHook('onRoute', (route) => void routes.push(route))
})

let database: TestDatabase
let stack: Stack
let gateway: TestGateway
let document: OpenApiDocument
let operations: DescribedOperation[]
beforeAll(async () => {
  database = await createDatabase(inject('postgresUrl'))
  stack = await startStack(database.db)
  const stripe: PaymentAdapter = { provider: 'stripe', isSigned: () => true, callbacksOf: () => [] }
  gateway = await startGateway(database.url, stack, {
    paymentWebhooks: { secrets: [PAYMENT_SECRET], adapters: [stripe] },
  })
  document = await documentOf(gateway)
  operations = operationsOf(document)
})
afterAll(async () => {
  await gateway.stop()
  await stack.stop()
  await database.drop()
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
    .filter(({ url, method }) => method !== 'HEAD' && !HIDDEN.some((pattern) => pattern.test(url)))
    .map(({ method, url }) => `${String(method)} ${url}`)
  expect(served.length).toBeGreaterThan(5)
  expect([...new Set(served)].toSorted()).toEqual(described.toSorted())
})

test('every operation says what it does, with examples that are as their schemas say', () => {
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

test('who may call follows from the access of the route, and each error that it brings is described', async () => {
  const accessOf = ({ method, path }: DescribedOperation) =>
    routes.find((route) => route.method === method && route.url === path.replaceAll(/\{(\w+)\}/g, ':$1'))!.config?.access ??
    'open'
  const open = await startGateway(database.url, stack, { settings: { ...SETTINGS, isPublic: true } })
  const reachable = operationsOf(await documentOf(open))
  await open.stop()
  for (const [place, operation] of operations.entries()) {
    const access = accessOf(operation)
    const ways = access === 'open' ? [] : [{ key: [access] }, { management_key: [access] }]
    if (access === 'ingest') ways.push({ publishable_key: [] } as never)
    expect(operation.security).toEqual(access === 'open' ? [] : [...ways, {}])
    expect(reachable[place]!.security).toEqual(ways)
    const statuses = Object.keys(operation.responses)
    expect(statuses).toEqual(expect.arrayContaining([successOf(operation), '400', '403', '500', '503']))
    expect(statuses.includes('401') && statuses.includes('429')).toBe(access !== 'open')
  }
})

/** The request of an operation's own examples. */
function send(
  { method, path, parameters = [], requestBody }: DescribedOperation,
  headers: Record<string, string> = {},
  at = gateway,
) {
  const filled = parameters
    .filter(({ in: where }) => where === 'path')
    .reduce((text, { name, example }) => text.replace(`{${name}}`, encodeURIComponent(example!)), path)
  const query = parameters.filter(({ in: where, example }) => where === 'query' && example !== undefined)
  const url = `${at.url}${filled}?${new URLSearchParams(query.map(({ name, example }): [string, string] => [name, example!])).toString()}`
  const [type, media] = Object.entries(requestBody?.content ?? {})[0] ?? []
  if (media === undefined) return fetch(url, { method, headers })
  const body = JSON.stringify(media.example)
  const signature = signatureOf(body, PAYMENT_SECRET, Date.now())
  return fetch(url, { method, headers: { 'content-type': type!, 'x-signature': signature, ...headers }, body })
}

/** What it is answered with when it waits for nothing that it does not have to. */
const successOf = ({ responses }: DescribedOperation) => ('200' in responses ? '200' : '202')

/** The run that the examples name, which nobody works on. Their days are kept, however old they are. */
async function makeExampleRun(): Promise<void> {
  await sql`update aggregate_window set retention_days = 100000`.execute(database.db)
  const { parameters = [] } = operations.find(({ operationId }) => operationId === 'recomputation')!
  const today = new Date().toISOString().slice(0, 10)
  await requestRun(database.db, parameters.find(({ name }) => name === 'id')!.example!, {
    ...{ report_slug: 'top-entities', window: 'day', date_from: today, date_to: today, actor: 'ada' },
  })
}

const recording = () => operations.find(({ operationId }) => operationId === 'recordInteractions')!

test('every example is answered as described by the real servers', async () => {
  await send(recording())
  await stack.settled()
  await makeExampleRun()
  for (const operation of operations) {
    const answer = await send(operation)
    const success = successOf(operation)
    expect([operation.path, String(answer.status)]).toEqual([operation.path, success])
    const media = operation.responses[success]!.content['application/json']!
    expect(mismatchOf(document, media, await answer.json())).toBeUndefined()
  }
})

test('a body of text/plain is described, and read as JSON', async () => {
  const { 'text/plain': beacon } = recording().requestBody!.content
  const answer = await fetch(gateway.url + recording().path, { method: 'POST', body: JSON.stringify(beacon!.example) })
  expect(answer.status).toBe(200)
})

test.each([
  ['DELETE', '/api/v1/analytic/interaction', 405, 'POST'],
  ['POST', '/api/v1/analytic/popularity/lamp', 405, 'GET, HEAD'],
  ['QUERY', '/health', 405, 'GET, HEAD'],
  ['POST', '/api/v1/nowhere', 404, null],
  ['GET', '/docs/nowhere', 404, null],
])('%s %s is answered %i', async (method, path, status, allow) => {
  const answer = await fetch(gateway.url + path, { method, ...(method === 'POST' && { body: '{ no JSON' }) })
  expect(answer.status).toBe(status)
  expect(answer.headers.get('allow')).toBe(allow)
  expect(await answer.json()).toMatchObject({ error: { code: status === 405 ? 'method_not_allowed' : 'not_found' } })
})

test('an Idempotency-Key that no header of Restate can be is refused', async () => {
  for (const key of ['é', 'a\tb', 'x'.repeat(256)]) expect((await send(recording(), { 'idempotency-key': key })).status).toBe(400)
})

test('an answer carries the id of its request: the one that was sent, when it is plain', async () => {
  const own = await fetch(`${gateway.url}/health`, { headers: { 'x-request-id': 'checkout-1' } })
  expect(own.headers.get('x-request-id')).toBe('checkout-1')
  const other = await fetch(`${gateway.url}/nowhere`, { headers: { 'x-request-id': 'not plain' } })
  expect(other.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/)
})

test('/docs is served from here alone, and its policy lets a browser load nothing from elsewhere', async () => {
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
  // Everything else keeps the strict one.
  const { headers } = await fetch(`${gateway.url}/health`)
  expect(headers.get('content-security-policy')).toBe("default-src 'none'; frame-ancestors 'none'")
})

/** The last ones: from the first key on, the other gateway wants one too. */
describe('with keys', () => {
  const PAGE = 'https://shop.example'
  const NEW_KEY: NewApiKey = {
    name: 'test',
    scopes: ['ingest'],
    isPublishable: false,
    origins: [],
    sellerId: null,
    requestsPerMinute: null,
  }
  const key = async (changes: Partial<NewApiKey> = {}) => {
    const { text } = await createApiKey(database.db, { ...NEW_KEY, ...changes })
    return { authorization: `Bearer ${text}` }
  }

  let guarded: TestGateway
  let ingest: Record<string, string>
  beforeAll(async () => {
    ingest = await key()
    guarded = await startGateway(database.url, stack)
  })
  afterAll(() => guarded.stop())

  /** Ways to each answer that the document names for recording; a gateway that starts knows every key at once. */
  const WAYS: Record<string, () => Promise<Response>> = {
    200: () => send(recording(), ingest, guarded),
    202: () => send(recording(), { ...ingest, prefer: 'respond-async' }, guarded),
    400: () => fetch(guarded.url + recording().path, { method: 'POST', headers: ingest, body: '{"interactions": []}' }),
    401: () => send(recording(), {}, guarded),
    403: async () => withFresh({}, await key({ scopes: ['read'] })),
    409: async () => {
      const headers = { ...ingest, 'idempotency-key': 'checkout-4711', 'content-type': 'application/json' }
      const body = JSON.stringify({ interactions: [{ other: 'body' }] })
      await fetch(guarded.url + recording().path, { method: 'POST', headers, body })
      return send(recording(), headers, guarded)
    },
    413: async () => {
      const publishable = await key({ isPublishable: true, origins: [PAGE] })
      const body = ' '.repeat(65 * 1024)
      return fresh({}, ({ url }) =>
        fetch(url + recording().path, { method: 'POST', headers: { ...publishable, origin: PAGE }, body }),
      )
    },
    429: async () => {
      const slow = await key({ requestsPerMinute: 1 })
      return fresh({}, async (at) => {
        await send(recording(), slow, at)
        return send(recording(), slow, at)
      })
    },
    500: () => withFresh({ ingress: failingIngress() }, ingest),
    503: () => withFresh({ limits: { queueEventsMax: 0 } }, ingest),
  }

  /** Its calls fail for a reason that the gateway does not expect. */
  function failingIngress(): Ingress {
    return {
      ...createIngress({ url: stack.ingressUrl }),
      callWithJson: () => Promise.reject(new Error('a fault of ours')),
    }
  }

  async function fresh(changes: Parameters<typeof startGateway>[2], ask: (at: TestGateway) => Promise<Response>) {
    const at = await startGateway(database.url, stack, changes)
    const answer = await ask(at)
    await at.stop()
    return answer
  }

  const withFresh = (changes: Parameters<typeof startGateway>[2], headers: Record<string, string>) =>
    fresh(changes, (at) => send(recording(), headers, at))

  test('each answer that the document names for recording can be had, as described', async () => {
    expect(Object.keys(WAYS)).toEqual(Object.keys(recording().responses))
    for (const [status, ask] of Object.entries(WAYS)) {
      const answer = await ask()
      expect(answer.status).toBe(Number(status))
      const { headers = {}, content } = recording().responses[status]!
      for (const name of Object.keys(headers)) expect(answer.headers.get(name)).toMatch(/\w/)
      const media = content['application/json']!
      const body = (await answer.json()) as { error?: { code: string } }
      expect(mismatchOf(document, media, body)).toBeUndefined()
      expect(body.error?.code).toBe((media.example as { error?: { code: string } }).error?.code)
    }
  })
})
