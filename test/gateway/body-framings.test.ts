import { Agent, request as httpRequest } from 'node:http'
import { setImmediate as turn } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { afterEach, expect, test, vi } from 'vitest'
import { until } from '../../src/main/embedded/until.ts'
import { chunkOf, headOf, rawConnection, statusesIn } from '../harness/clients/raw-request.ts'
import { ONLY_KEYS, SECRET_KEY } from '../harness/items/known-key.ts'
import type { GatewayChanges } from '../harness/servers/gateway.ts'
import { offlineGateway } from '../harness/servers/offline-gateway.ts'

afterEach(() => void vi.restoreAllMocks())

const INTERACTIONS = '/api/v1/analytic/interaction'
const EVENT = '/api/v1/event'
const EVENT_BYTES_MAX = 64 * 1024
const CALLER = { authorization: 'Bearer caller' }
const END = '0\r\n\r\n'
const NO_JSON = Buffer.from('no JSON')
/** Connections that send at the same time, so that requests wait for their turn after all of their bytes have arrived. */
const CONNECTIONS = 12

const keyOf = (text: string) => ({ ...SECRET_KEY, keyId: text })

/** Each text is a key of its own. */
const WITH_KEYS: GatewayChanges = {
  access: {
    ...ONLY_KEYS,
    keys: async () => ({ areUsed: true, find: keyOf, ofId: keyOf, origins: new Set() }),
  },
}

/** A gateway whose clock stands still: another caller has always just sent, or none has. */
async function gatewayWith({ hasOthers }: { hasOthers: boolean }) {
  vi.spyOn(performance, 'now').mockReturnValue(1_000)
  const gateway = await offlineGateway(WITH_KEYS)
  const headers = { authorization: 'Bearer other', 'content-type': 'application/json' }
  if (hasOthers) await gateway.app.inject({ method: 'POST', url: INTERACTIONS, headers, payload: 'x' })
  return gateway
}

const spaces = (bytes: number) => Buffer.alloc(bytes, ' ')
const whole = (body: Buffer, path = INTERACTIONS, headers: Record<string, string> = {}) =>
  Buffer.concat([Buffer.from(headOf(path, { ...CALLER, ...headers, 'content-length': body.length })), body])
const head = (path = INTERACTIONS, headers: Record<string, string> = {}) =>
  Buffer.from(headOf(path, { ...CALLER, ...headers, 'transfer-encoding': 'chunked' }))
const bytes = (...parts: (Buffer | string)[]) => Buffer.concat(parts.map((part) => Buffer.from(part)))
const chunked = (body: Buffer, ...more: Parameters<typeof head>) => bytes(head(...more), chunkOf(body), END)
const repeated = (chunk: Buffer, times: number) => Buffer.concat(Array.from({ length: times }, () => chunkOf(chunk)))

/** Each write may have a part of a request, or several requests. */
const FORMS: [what: string, writes: Buffer[], statuses: number[]][] = [
  ['a chunk in one write', [chunked(NO_JSON)], [400]],
  ['an event in one write', [chunked(NO_JSON, EVENT)], [400]],
  ['a chunk after the head', [head(), bytes(chunkOf(NO_JSON), END)], [400]],
  ['an end after the chunk', [bytes(head(), chunkOf(NO_JSON)), Buffer.from(END)], [400]],
  ['a write of each part', [head(), chunkOf(NO_JSON), Buffer.from(END)], [400]],
  ['trailers', [bytes(head(), chunkOf(NO_JSON), '0\r\nx-sum: 1\r\n\r\n')], [400]],
  ['trailers in writes of their own', [bytes(head(), chunkOf(NO_JSON), '0\r\n'), bytes('x-sum: 1\r\n'), bytes('\r\n')], [400]],
  ['no body', [bytes(head(), END)], [400]],
  ['compressed chunks', [chunked(gzipSync(NO_JSON), INTERACTIONS, { 'content-encoding': 'gzip' })], [400]],
  ['64 KiB in a chunk', [chunked(spaces(64 * 1024))], [400]],
  ['1 MiB in a chunk', [chunked(spaces(1024 * 1024))], [400]],
  ['999 chunks of a byte', [bytes(head(), repeated(spaces(1), 999), END)], [400]],
  ['2,000 chunks of 16 bytes', [bytes(head(), repeated(spaces(16), 2_000), END)], [400]],
  ['8 requests in one write', [Buffer.concat(Array.from({ length: 8 }, () => chunked(NO_JSON)))], Array<number>(8).fill(400)],
  ['a declared length before chunks', [bytes(whole(spaces(100_000)), chunked(NO_JSON))], [400, 400]],
  ['chunks before half of others', [bytes(chunked(NO_JSON), head(), chunkOf(NO_JSON)), Buffer.from(END)], [400, 400]],
  [
    'refused chunks before half of others',
    [bytes(chunked(NO_JSON, '/none'), head(), chunkOf(NO_JSON)), Buffer.from(END)],
    [404, 400],
  ],
  ['an event that is too large', [bytes(head(EVENT), repeated(spaces(1_000), 70), END)], [413]],
  ['a rest that is refused', [bytes(head(EVENT), repeated(spaces(1_000), 70)), bytes(repeated(spaces(1_000), 70), END)], [413]],
  [
    'an address that is not valid',
    [bytes(head('/%zz'), repeated(spaces(1_000), 70)), bytes(repeated(spaces(1_000), 70), END)],
    [400],
  ],
  ['a wait for 100 Continue', [head(INTERACTIONS, { expect: '100-continue' }), bytes(chunkOf(NO_JSON), END)], [100, 400]],
  ['a declared length in two writes', [whole(NO_JSON).subarray(0, -3), NO_JSON.subarray(-3)], [400]],
  ['1 MiB of a declared length', [whole(spaces(1024 * 1024))], [400]],
]

/** Sends the writes several times on one connection, each time after the answers. @returns all statuses, when the connection has closed. */
async function converse(port: number, { writes, answers, times }: { writes: Buffer[]; answers: number; times: number }) {
  const { send, socket, received, closed } = await rawConnection(port)
  for (let time = 1; time <= times; time++) {
    for (const write of writes) {
      await send(write)
      await turn()
    }
    if (!(await until(async () => statusesIn(received()).length >= time * answers, 20_000))) break
  }
  const given = statusesIn(received())
  // A connection that is not read does not see that its client has left, and keeps its place.
  socket.end()
  const isClosed = Promise.race([closed().then(() => true), until(async () => false, 20_000)])
  return { given, isClosed: await isClosed }
}

for (const hasOthers of [true, false]) {
  test.for(FORMS)(
    `${hasOthers ? 'next to another caller' : 'alone'}, a connection stays open after %s`,
    async ([_what, writes, statuses]) => {
      await using gateway = await gatewayWith({ hasOthers })
      const port = await gateway.listen()
      const talks = Array.from({ length: CONNECTIONS }, () => converse(port, { writes, answers: statuses.length, times: 3 }))
      const given = [...statuses, ...statuses, ...statuses]
      expect(await Promise.all(talks)).toEqual(talks.map(() => ({ given, isClosed: true })))
    },
  )
}

test("Node's client, which sends a short body as a chunk in one piece with its end, gets every answer on its connections", async () => {
  await using gateway = await gatewayWith({ hasOthers: true })
  const agent = new Agent({ keepAlive: true, maxSockets: 10 })
  const headers = { ...CALLER, 'content-type': 'application/json' }
  const options = { port: await gateway.listen(), host: '127.0.0.1', path: EVENT, method: 'POST', headers, agent }
  const post = () => {
    const { promise, resolve, reject } = Promise.withResolvers<number>()
    const request = httpRequest(options, (answer) => answer.resume().on('end', () => resolve(answer.statusCode!)))
    request.on('error', reject).write(NO_JSON)
    request.end()
    return promise
  }
  expect(new Set(await Promise.all(Array.from({ length: 120 }, post)))).toEqual(new Set([400]))
  agent.destroy()
})

/** A request with a body of spaces, and its status. */
const anyRequest = fc
  .record({
    path: fc.constantFrom(INTERACTIONS, EVENT, '/none'),
    length: fc.oneof(fc.integer({ min: 0, max: 100 }), fc.integer({ min: 0, max: 200_000 })),
    chunkBytes: fc.option(fc.oneof(fc.integer({ min: 20, max: 2_000 }), fc.integer({ min: 2_000, max: 100_000 }))),
    hasTrailers: fc.boolean(),
  })
  .map(({ path, length, chunkBytes, hasTrailers }) => {
    const status = path === '/none' ? 404 : path === EVENT && length > EVENT_BYTES_MAX ? 413 : 400
    if (chunkBytes === null) return { sent: whole(spaces(length), path), status }
    const [full, left] = [Math.floor(length / chunkBytes), length % chunkBytes]
    const rest = left > 0 ? chunkOf(spaces(left)) : ''
    const end = hasTrailers ? '0\r\nx-sum: 1\r\n\r\n' : END
    return { sent: bytes(head(path), repeated(spaces(chunkBytes), full), rest, end), status }
  })

test.for([true, false])(
  'any bodies, cut anywhere, are answered in their order; next to another caller: %s',
  async (hasOthers) => {
    await using gateway = await gatewayWith({ hasOthers })
    const port = await gateway.listen()
    const anyTalk = fc.record({
      requests: fc.array(anyRequest, { minLength: 1, maxLength: 8 }),
      cuts: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 6 }),
    })
    const property = fc.asyncProperty(fc.array(anyTalk, { minLength: 3, maxLength: 6 }), async (talks) => {
      const given = talks.map(async ({ requests, cuts }) => {
        const sent = Buffer.concat(requests.map((request) => request.sent))
        const places = [0, ...cuts.map((cut) => Math.floor(cut * sent.length)).toSorted((a, b) => a - b), sent.length]
        const writes = places.slice(1).map((place, index) => sent.subarray(places[index], place))
        return converse(port, { writes, answers: requests.length, times: 2 })
      })
      const expected = talks.map(({ requests }) => {
        const statuses = requests.map(({ status }) => status)
        return { given: [...statuses, ...statuses], isClosed: true }
      })
      expect(await Promise.all(given)).toEqual(expected)
    })
    await fc.assert(property, { numRuns: 20, seed: 19 })
  },
)
