import { expect, test } from 'vitest'
import type { CreateInteractionResponse } from '../../src/contract/interaction.ts'
import type { RequestEvents } from '../../src/gateway/recording/flush.ts'
import { createLargeShares } from '../../src/gateway/recording/large-shares.ts'
import { createRejectionBudget } from '../../src/gateway/recording/rejection-budget.ts'
import type { Recording } from '../../src/gateway/recording/ways.ts'
import { createIngress } from '../../src/ingress/clients.ts'
import { until } from '../../src/main/embedded/until.ts'
import { createItemsWorker } from '../../src/workers/items-worker.ts'
import { headOf, rawConnection } from '../harness/clients/raw-request.ts'
import { offlineGateway } from '../harness/servers/offline-gateway.ts'

const PATH = '/api/v1/analytic/interaction'
const [SENDER, OTHER] = ['127.0.0.2', '127.0.0.3']
const ROOM = { secretBytes: 1e9, publishableBytes: 1e9, addressBytes: 1e9 }
const empty = (count: number) => `{"interactions":[${'{},'.repeat(count - 1)}{}]}`
const untilIs = (isSo: () => boolean) => until(async () => isSo(), 10_000)

/** A gateway that answers a recorded request when the test says so, and notes whose bodies its thread gets. */
async function heldGateway(deadlineMs?: number) {
  const judged: string[] = []
  const held: (() => void)[] = []
  const record = async ({ count }: RequestEvents): Promise<CreateInteractionResponse> => {
    await new Promise<void>((resolve) => held.push(resolve))
    return { accepted: count, duplicates: 0, duplicate_indexes: [], rejected: [] }
  }
  const worker = createItemsWorker()
  const write: typeof worker.write = (job, caller) => {
    judged.push(caller.caller)
    return worker.write(job, caller)
  }
  const recording = {
    ways: { interaction: { groupCommit: { record } } },
    rejections: createRejectionBudget(ROOM),
  } as unknown as Recording
  const ingress = createIngress({ url: 'http://127.0.0.1:1', ...(deadlineMs !== undefined && { deadlineMs }) })
  const gateway = await offlineGateway({ recording, ingress, itemsWorker: { ...worker, write } })
  const arrived: string[] = []
  gateway.app.addHook('preHandler', async ({ ip }) => void arrived.push(ip))
  return {
    gateway,
    judged,
    held,
    arrived,
    send: async (remoteAddress: string, count = 1_500) => {
      const headers = { 'content-type': 'application/json' }
      const { statusCode } = await gateway.app.inject({
        url: PATH,
        method: 'POST',
        headers,
        payload: empty(count),
        remoteAddress,
      })
      return statusCode
    },
    answerNext: async () => {
      expect(await untilIs(() => held.length > 0)).toBe(true)
      held.shift()!()
    },
    [Symbol.asyncDispose]: async () => {
      await gateway[Symbol.asyncDispose]()
      await worker.stop()
    },
  }
}

test('next to another caller, a large request is judged when the one before of its caller was recorded', async () => {
  await using gateway = await heldGateway()
  const { judged, held, arrived, send, answerNext } = gateway
  const first = send(SENDER)
  expect(await untilIs(() => held.length === 1)).toBe(true)
  const other = send(OTHER)
  expect(await untilIs(() => held.length === 2)).toBe(true)
  // Together, so that all of them are next to another caller.
  const more = [send(OTHER, 1), send(SENDER), send(OTHER)]
  expect(await untilIs(() => arrived.length === 5 && held.length === 3)).toBe(true)
  expect(judged).toEqual([SENDER, OTHER])
  await answerNext()
  expect(await first).toBe(200)
  expect(await untilIs(() => judged.length === 3)).toBe(true)
  expect(judged).toEqual([SENDER, OTHER, SENDER])
  for (let left = 4; left > 0; left--) await answerNext()
  expect(await Promise.all([other, ...more])).toEqual([200, 200, 200, 200])
})

test('large requests of the only caller are judged while few of its events are being recorded', async () => {
  await using gateway = await heldGateway()
  const { judged, held, arrived, send, answerNext } = gateway
  const answers = Array.from({ length: 4 }, () => send(SENDER, 10_000))
  expect(await untilIs(() => arrived.length === 4 && held.length === 2)).toBe(true)
  expect(judged).toHaveLength(2)
  for (let left = 4; left > 0; left--) await answerNext()
  expect(await Promise.all(answers)).toEqual([200, 200, 200, 200])
})

test('a large request that waits too long is refused, and never judged', async () => {
  await using gateway = await heldGateway(100)
  const { judged, held, send, answerNext } = gateway
  const answers: Promise<number>[] = []
  for (const begun of [1, 2]) {
    answers.push(send(SENDER, 10_000))
    expect(await untilIs(() => held.length === begun)).toBe(true)
  }
  expect(await send(SENDER, 10_000)).toBe(503)
  expect(judged).toHaveLength(2)
  await answerNext()
  await answerNext()
  expect(await Promise.all(answers)).toEqual([200, 200])
})

test('a large request whose client hung up in the line is never judged', async () => {
  await using gateway = await heldGateway()
  const { judged, held, arrived, send, answerNext } = gateway
  const port = await gateway.gateway.listen()
  // Of the address 127.0.0.1.
  const own = () => send('127.0.0.1', 10_000)
  const answers = [own(), own()]
  expect(await untilIs(() => held.length === 2)).toBe(true)
  const gone = await rawConnection(port)
  const body = empty(1_500)
  await gone.send(`${headOf(PATH, { 'content-type': 'application/json', 'content-length': body.length })}${body}`)
  expect(await untilIs(() => arrived.length === 3)).toBe(true)
  gone.socket.destroy()
  const open = () =>
    new Promise<number>((resolve) => gateway.gateway.app.server.getConnections((_error, count) => resolve(count)))
  expect(await until(async () => (await open()) === 0, 10_000)).toBe(true)
  answers.push(own())
  for (let left = 3; left > 0; left--) await answerNext()
  expect(await Promise.all(answers)).toEqual([200, 200, 200])
  expect(judged).toHaveLength(3)
})

test('a caller has a place again when its large request was answered, and not twice', () => {
  const shares = createLargeShares(() => true)
  const caller = { id: 'a', hasShare: true }
  const line = () => undefined
  const judge = () => {
    shares.take(caller, line)
    const end = shares.open('a', { events: 1, bytes: 1 })
    shares.give(caller)
    return end
  }
  const end = judge()
  expect(shares.hasFree(caller)).toBe(false)
  end()
  expect(shares.hasFree(caller)).toBe(true)
  judge()
  end()
  expect(shares.hasFree(caller)).toBe(false)
})
