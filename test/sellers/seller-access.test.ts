import { Writable } from 'node:stream'
import { Validator } from '@seriousme/openapi-schema-validator'
import type { FastifyInstance, InjectOptions } from 'fastify'
import { pino } from 'pino'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { z } from 'zod'
import type { Keys } from '../../src/gateway/access/key-ring.ts'
import { sellerOf } from '../../src/gateway/access/seller-access.ts'
import { createSellerTokens } from '../../src/gateway/access/seller-tokens.ts'
import { createGateway } from '../../src/gateway/server.ts'
import type { NewApiKey, SecretApiKey } from '../../src/store/access/api-key.ts'
import { connect, type Database } from '../../src/store/database/connection.ts'
import { type OpenApiDocument, type Operation, operationsOf } from '../harness/clients/openapi-document.ts'
import { type GatewayChanges, gatewayDepsOf, SETTINGS } from '../harness/servers/gateway.ts'
import {
  claimsOf,
  encoded,
  type TokenIssuer,
  makeSigningKey,
  sign,
  type SigningKey,
  startTokenIssuer,
} from '../harness/clients/token-issuer.ts'
import { READ } from '../harness/items/keys.ts'
import { ONLY_KEYS } from '../harness/items/known-key.ts'
import { Id } from '../../src/contract/fields/id.ts'

const OF_SELLER = '/api/v1/test/seller'
/** An issuer that does not answer. */
const NOWHERE = '127.0.0.1:1'

let issuer: TokenIssuer
let key: SigningKey
let db: Database
let log: string[]
let gateways: FastifyInstance[]

beforeAll(async () => {
  issuer = await startTokenIssuer()
  key = await makeSigningKey('first')
  db = connect({ url: `postgres://${NOWHERE}/footfall`, name: 'test gateway' })
})
beforeEach(() => {
  issuer.publish(key)
  log = []
  gateways = []
})
afterEach(() => Promise.all(gateways.map((gateway) => gateway.close())))
afterAll(async () => {
  await issuer.stop()
  await db.destroy()
})

const NO_KEYS: Keys = { areUsed: false, find: () => undefined, ofId: () => undefined, origins: new Set() }

/** The keys, each found by its name. */
function keysOf(...keys: Partial<NewApiKey>[]): Keys {
  const all = keys.map((changes, n): SecretApiKey => {
    const plain = { name: `key ${n}`, scopes: [], isPublishable: false, origins: [], sellerId: null, requestsPerMinute: null }
    return {
      ...plain,
      keyId: `${n}`,
      secretSha256: Buffer.alloc(32),
      createdAt: new Date(),
      revokedAt: null,
      lastUsedAt: null,
      ...changes,
    }
  })
  const find = (text: string) => all.find(({ name }) => name === text)
  return { areUsed: true, find, ofId: find, origins: new Set() }
}

const KEYS = keysOf(
  { name: 'reader', scopes: ['read'] },
  { name: 'seller', scopes: ['ingest', 'read', 'manage'], sellerId: 'north-light' },
  { name: 'mute', scopes: ['ingest'], sellerId: 'north-light' },
)

/** A gateway with a route about one seller, which answers with its id. */
async function gatewayWith(keys: Keys, changes: GatewayChanges & { areTokensUsed?: boolean } = {}): Promise<FastifyInstance> {
  const lines = new Writable({
    write(chunk: Buffer, _encoding, done) {
      log.push(chunk.toString())
      done()
    },
  })
  const { areTokensUsed = true, ...more } = changes
  const sellerOfToken = areTokensUsed ? createSellerTokens(issuer.settings, () => undefined) : undefined
  const access = { ...ONLY_KEYS, keys: async () => keys, sellerOfToken }
  const deps = gatewayDepsOf({ db, ingressUrl: `http://${NOWHERE}` }, { access, ...more })
  const app = await createGateway({ log: pino({ level: 'debug' }, lines), ...deps })
  const schema = { querystring: z.strictObject({ seller_id: Id.optional() }) }
  app.get(OF_SELLER, { config: { access: 'read', ofSeller: true }, schema }, async (request) => {
    return { data: sellerOf(request, (request.query as { seller_id?: string }).seller_id) }
  })
  gateways.push(app)
  return app
}

const tokenOf = (sellerId = 'north-light') => sign(key, claimsOf(issuer, sellerId))
const isPublic = { settings: { ...SETTINGS, isPublic: true } }

interface Answer {
  status: number
  headers: Record<string, unknown>
  json: { data?: string; error?: { code: string; message: string } }
}

async function ask(app: FastifyInstance, shown: string | undefined, options: InjectOptions = {}): Promise<Answer> {
  const headers = { ...(shown !== undefined && { authorization: `Bearer ${shown}` }), ...options.headers }
  const { statusCode, headers: answered, body } = await app.inject({ url: OF_SELLER, ...options, headers })
  return { status: statusCode, headers: answered, json: JSON.parse(body) as Answer['json'] }
}

/** The answers to a caller that names no seller, its own seller, and another seller. */
async function reach(app: FastifyInstance, shown: string | undefined): Promise<(string | number)[]> {
  const answers = ['', '?seller_id=north-light', '?seller_id=another'].map((query) => ask(app, shown, { url: OF_SELLER + query }))
  return (await Promise.all(answers)).map(({ status, json }) => json.data ?? status)
}

const OWN_ALONE = ['north-light', 'north-light', 403]
const EVERY_NAMED = [400, 'north-light', 'another']

test('a token reads its seller alone, with and without keys, on a public and a private gateway', async () => {
  const token = await tokenOf()
  expect(await reach(await gatewayWith(KEYS), token)).toEqual(OWN_ALONE)
  expect(await reach(await gatewayWith(KEYS, isPublic), token)).toEqual(OWN_ALONE)
  expect(await reach(await gatewayWith(NO_KEYS), token)).toEqual(OWN_ALONE)
  expect(await reach(await gatewayWith(NO_KEYS, isPublic), token)).toEqual(OWN_ALONE)
})

test("a seller's key reads that seller alone; other keys and loopback callers read every seller", async () => {
  const app = await gatewayWith(KEYS)
  expect(await reach(app, 'seller')).toEqual(OWN_ALONE)
  expect(await reach(app, 'reader')).toEqual(EVERY_NAMED)
  expect(await reach(app, 'mute')).toEqual([403, 403, 403])
  expect(await reach(app, undefined)).toEqual([401, 401, 401])
  expect(await reach(await gatewayWith(NO_KEYS), undefined)).toEqual(EVERY_NAMED)
  expect(await reach(await gatewayWith(NO_KEYS, isPublic), undefined)).toEqual([401, 401, 401])
})

test("the refusal of another seller's data has the shape of the contract", async () => {
  const { json } = await ask(await gatewayWith(KEYS), await tokenOf(), { url: `${OF_SELLER}?seller_id=another` })
  expect(json).toEqual({ error: { code: 'forbidden', message: 'the key or token is bound to another seller' } })
})

const documentOf = async (app: FastifyInstance) => (await app.inject('/openapi.json')).json<OpenApiDocument>()
const takesTokens = ({ security }: Operation) => security.some((way) => 'seller_token' in way)

test.each([
  ['keys', KEYS],
  ['no keys', NO_KEYS],
])('a token may do nothing except read its seller, with %s', async (_name, keys) => {
  const app = await gatewayWith(keys)
  const token = await tokenOf()
  const others = operationsOf(await documentOf(app)).filter((one) => one.security.length > 0 && !takesTokens(one))
  expect(others.length).toBeGreaterThan(10)
  for (const { method, path } of others) {
    const url = path.replaceAll(/[{}]/g, '')
    expect([path, await ask(app, token, { method: method as 'GET', url })]).toMatchObject([path, { status: 403 }])
  }
  expect(await ask(app, token, { url: '/metrics' })).toMatchObject({
    status: 403,
    json: { error: { code: 'forbidden', message: 'the key or token is bound to a seller, and this is not about one' } },
  })
})

test.each([
  ['too old', async () => sign(key, { ...claimsOf(issuer, 'north-light'), exp: 1 }), 'the token has expired'],
  ['not signed', async () => `${encoded({ alg: 'none' })}.e30.`, 'the token is not signed in a way that is accepted'],
])('a token that is %s is a 401 that speaks of the token, even where no key is needed', async (_name, make, message) => {
  for (const keys of [KEYS, NO_KEYS]) {
    const { status, headers, json } = await ask(await gatewayWith(keys), await make())
    expect([status, headers['www-authenticate']]).toEqual([401, 'Bearer'])
    expect(json).toEqual({ error: { code: 'unauthorized', message } })
  }
})

test('a token in Authorization restricts a request that also has a key', async () => {
  const options = { headers: { 'x-management-key': 'reader' }, url: `${OF_SELLER}?seller_id=another` }
  expect((await ask(await gatewayWith(KEYS), await tokenOf(), options)).status).toBe(403)
  expect((await ask(await gatewayWith(KEYS), undefined, options)).status).toBe(200)
})

test('a token in the query, or at a gateway without tokens, is an unknown key', async () => {
  const token = await tokenOf()
  const unused = { areTokensUsed: false }
  const unknown = { status: 401, json: { error: { message: 'the key is not known, or was revoked' } } }
  expect(await ask(await gatewayWith(KEYS), undefined, { url: `${OF_SELLER}?key=${token}` })).toMatchObject(unknown)
  expect(await ask(await gatewayWith(KEYS, unused), token)).toMatchObject(unknown)
  expect(await reach(await gatewayWith(NO_KEYS, unused), token)).toEqual(EVERY_NAMED)
})

test.each([{ host: 'shop.example' }, { origin: 'https://shop.example' }, { 'sec-fetch-site': 'cross-site' }])(
  'before the first key is created, other origins are refused, even with a token: %j',
  async (headers) => {
    const message = expect.stringMatching(/Host header|web pages elsewhere/)
    expect(await ask(await gatewayWith(NO_KEYS), await tokenOf(), { headers })).toMatchObject({
      status: 403,
      json: { error: { message } },
    })
  },
)

test('all tokens of a seller share one limit of requests per minute', async () => {
  const settings = { ...SETTINGS, rateLimits: { secretPerMinute: 3, publishablePerMinute: 1 } }
  const app = await gatewayWith(KEYS, { settings })
  const tokens = [await tokenOf(), await tokenOf(), await tokenOf()]
  expect(new Set(tokens).size).toBe(3)
  const statusOf = async (shown: string) => (await ask(app, shown)).status
  for (const token of tokens) expect(await statusOf(token)).toBe(200)
  const { status, headers, json } = await ask(app, tokens[0])
  expect([status, json.error?.code, Number(headers['retry-after'])]).toEqual([429, 'rate_limited', expect.any(Number)])
  expect(await statusOf(await tokenOf('another'))).toBe(200)
  expect(await statusOf('seller')).toBe(200)
})

test('while the issuer is down a token is 503, and other requests are answered', async () => {
  issuer.become((request) => void request.socket.destroy())
  const app = await gatewayWith(KEYS)
  const { status, headers, json } = await ask(app, await tokenOf())
  expect([status, json.error?.code, headers['retry-after']]).toEqual([503, 'unavailable', '2'])
  expect((await ask(app, 'seller')).status).toBe(200)
  expect((await ask(app, await tokenOf(), { url: '/health' })).status).toBe(200)
})

test('no part of a token is in an answer or in the log', async () => {
  const app = await gatewayWith(KEYS)
  const tokens = [await tokenOf(), await sign(key, { ...claimsOf(issuer, 'north-light'), exp: 1 }), `${await tokenOf()}0`]
  const answers = await Promise.all(tokens.map((token) => ask(app, token)))
  await ask(app, undefined, { url: `${OF_SELLER}?key=${tokens[0]}` })
  expect(log.length).toBeGreaterThan(3)
  const written = log.join('') + JSON.stringify(answers)
  for (const part of tokens.flatMap((token) => token.split('.'))) expect(written).not.toContain(part)
})

test("the OpenAPI document offers tokens on the seller's routes, if the gateway uses them", async () => {
  const document = await documentOf(await gatewayWith(KEYS))
  expect(await new Validator().validate({ ...document })).toEqual({ valid: true })
  const taking = operationsOf(document).filter(takesTokens)
  expect(taking.map(({ path }) => path)).toContain(OF_SELLER)
  expect(taking.map(({ path }) => path)).not.toContain(READ)
  expect(document).toMatchObject({ components: { securitySchemes: { seller_token: { scheme: 'bearer', bearerFormat: 'JWT' } } } })
  const without = await documentOf(await gatewayWith(KEYS, { areTokensUsed: false }))
  expect(JSON.stringify(without)).not.toContain('seller_token')
})
