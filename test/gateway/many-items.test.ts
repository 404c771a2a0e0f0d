import { expect, test } from 'vitest'
import type { CreateInteractionResponse } from '../../src/contract/interaction.ts'
import type { RequestEvents } from '../../src/gateway/recording/flush.ts'
import { admit } from '../../src/gateway/recording/kept-rejections.ts'
import { createRejectionBudget, type RejectionBudget } from '../../src/gateway/recording/rejection-budget.ts'
import type { Recording } from '../../src/gateway/recording/ways.ts'
import { DecidedError } from '../../src/contract/decided-error.ts'
import { until } from '../../src/main/embedded/until.ts'
import { createItemsWorker } from '../../src/workers/items-worker.ts'
import { headOf, rawConnection, statusesIn } from '../harness/clients/raw-request.ts'
import { SECRET_KEY, withKey } from '../harness/items/known-key.ts'
import type { GatewayChanges } from '../harness/servers/gateway.ts'
import { offlineGateway } from '../harness/servers/offline-gateway.ts'

const PATH = '/api/v1/analytic/interaction'
const AUTHORIZED = { 'content-type': 'application/json', authorization: 'Bearer k' }
const empty = (count: number) => `{"interactions":[${'{},'.repeat(count - 1)}{}]}`

/** A gateway that records nothing, and counts the bodies that its thread gets. */
function counting(key = SECRET_KEY, rejections: RejectionBudget = createRejectionBudget(ROOM)) {
  const counts = { given: [] as number[], byThread: 0 }
  const worker = createItemsWorker()
  const record = async ({ count }: RequestEvents): Promise<CreateInteractionResponse> => {
    counts.given.push(count)
    return { accepted: count, duplicates: 0, duplicate_indexes: [], rejected: [] }
  }
  const recording = { ways: { interaction: { groupCommit: { record } } }, rejections } as unknown as Recording
  const write: typeof worker.write = (...given) => {
    counts.byThread++
    return worker.write(...given)
  }
  const changes: GatewayChanges = { ...withKey(key), recording, itemsWorker: { ...worker, write } }
  return { counts, changes }
}

const ROOM = { secretBytes: 1e9, publishableBytes: 1e9, addressBytes: 1e9 }

test('a list of few bytes with more than 1,000 items is read by the thread', async () => {
  const { counts, changes } = counting()
  await using gateway = await offlineGateway(changes)
  for (const count of [1_000, 1_001, 10_000]) {
    const { statusCode } = await gateway.app.inject({ url: PATH, method: 'POST', headers: AUTHORIZED, payload: empty(count) })
    expect(statusCode).toBe(200)
  }
  expect(counts).toEqual({ given: [1_000, 1_001, 10_000], byThread: 2 })
})

test('more than 1,000 items of a publishable key are refused before they are parsed, and cost nothing of its hour', async () => {
  const budget = createRejectionBudget({ ...ROOM, addressBytes: 1_000_000 })
  const { counts, changes } = counting({ ...SECRET_KEY, isPublishable: true }, budget)
  await using gateway = await offlineGateway(changes)
  const send = (payload: string) => gateway.app.inject({ url: PATH, method: 'POST', headers: AUTHORIZED, payload })
  for (const payload of [empty(1_001), empty(10_000), empty(10_000).slice(0, -9)]) {
    const { statusCode, body } = await send(payload)
    expect([statusCode, body]).toEqual([413, expect.stringContaining('more than 1000 items, the most with a publishable key')])
  }
  expect((await send(empty(1_000))).statusCode).toBe(200)
  expect(counts).toEqual({ given: [1_000], byThread: 0 })
})

test('a request that comes in one packet with another one for the thread is read as it was sent', async () => {
  const { counts, changes } = counting()
  await using gateway = await offlineGateway(changes)
  const { send, received } = await rawConnection(await gateway.listen())
  const post = (body: string) => `${headOf(PATH, { ...AUTHORIZED, 'content-length': body.length })}${body}`
  await send([post(empty(1_500)), post(empty(2)), post(empty(1_200)), post(empty(3))].join(''))
  expect(await until(async () => statusesIn(received()).length === 4, 10_000)).toBe(true)
  expect(statusesIn(received())).toEqual([200, 200, 200, 200])
  expect(counts.given.toSorted((one, other) => one - other)).toEqual([2, 3, 1_200, 1_500])
})

test('bodies whose last bytes come together leave time for others between them', async () => {
  const { changes } = counting()
  await using gateway = await offlineGateway(changes)
  const order: string[] = []
  gateway.app.addHook('onResponse', async ({ url }) => void order.push(url))
  const port = await gateway.listen()
  // 250 events of 1,000 bytes, which the gateway parses itself.
  const body = JSON.stringify({ interactions: Array(250).fill({ nonsense: 'x'.repeat(980) }) })
  const attacks = await Promise.all(Array.from({ length: 60 }, () => rawConnection(port)))
  for (const { send } of attacks) await send(headOf(PATH, { ...AUTHORIZED, 'content-length': body.length }) + body.slice(0, -1))
  const probe = await rawConnection(port)
  for (const { socket } of attacks) socket.write('}')
  probe.socket.write('GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n')
  expect(await until(async () => order.length === 61, 30_000)).toBe(true)
  expect(order.indexOf('/health')).toBeLessThan(10)
})

const SENDER = { apiKey: { ...SECRET_KEY }, ip: '10.0.0.1' }
const RECORDED = { kind: 'interaction', sender: SENDER } as const

test('after an unknown outcome the invalid items of a request are counted by a part of them', () => {
  const budget = createRejectionBudget({ ...ROOM, secretBytes: 10_000_000 })
  const item = JSON.stringify({ nonsense: 'x'.repeat(80) })
  const sent = { json: Array(5_000).fill(item).join(','), count: 5_000 }
  const settle = admit(budget, { ...RECORDED, count: 10_000, bytes: sent.json.length })!(sent)
  settle('unknown')
  const bytes = 5_000 * (item.length + 200)
  expect(budget.take(SENDER, 10_000_000 - bytes + 1)).toBeUndefined()
  expect(budget.take(SENDER, 10_000_000 - bytes)).toBeDefined()
})

test('a request that the gateway turns away uses up nothing of the rejected events of the hour', async () => {
  const budget = createRejectionBudget({ ...ROOM, secretBytes: 1_000 })
  const { changes } = counting(SECRET_KEY, budget)
  const record = async () => {
    throw new DecidedError('unavailable', 'full')
  }
  const recording = { ways: { interaction: { groupCommit: { record } } }, rejections: budget } as unknown as Recording
  await using gateway = await offlineGateway({ ...changes, recording })
  const { statusCode } = await gateway.app.inject({ url: PATH, method: 'POST', headers: AUTHORIZED, payload: empty(2) })
  expect(statusCode).toBe(503)
  expect(budget.take(SENDER, 1_000)).toBeDefined()
})
