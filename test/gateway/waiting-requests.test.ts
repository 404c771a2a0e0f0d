import { ROOT_CONTEXT } from '@opentelemetry/api'
import { expect, onTestFinished, test, vi } from 'vitest'
import type { Waiting } from '../../src/gateway/recording/flush.ts'
import { isLight } from '../../src/gateway/recording/flow.ts'
import { partsOfRequest } from '../../src/gateway/recording/request-parts.ts'
import { createWaitingRequests } from '../../src/gateway/recording/waiting-requests.ts'

const LIMITS = { flushesMax: 4, isPaced: false, queueEventsMax: 50_000, queueBytesMax: 10_000_000 }

function requestOf(caller: string): Waiting<string> {
  const nothing = () => undefined
  return {
    json: '1',
    count: 1,
    caller,
    connection: {},
    resolve: nothing,
    reject: nothing,
    context: ROOT_CONTEXT,
    state: 'queued',
  }
}

test('flows of callers that do not send any more are forgotten, however many callers there were', () => {
  vi.useFakeTimers({ toFake: ['performance'] })
  onTestFinished(() => void vi.useRealTimers())
  const waiting = createWaitingRequests<string>(LIMITS)
  const kept = requestOf('waits')
  waiting.add(kept)
  const flow = waiting.flowOf(kept)
  let most = 0
  for (let n = 0; n < 100_000; n++) {
    vi.advanceTimersByTime(1)
    const request = requestOf(`address ${n}`)
    waiting.add(request)
    if (n % 2 === 0) waiting.drop(request)
    else {
      const group = waiting.choose([waiting.flowOf(request)], 1_000)
      waiting.sent(group)
      waiting.ended(group)
    }
    most = Math.max(most, waiting.flowsKept())
  }
  expect(most).toBeLessThanOrEqual(2_100)
  expect([waiting.flowOf(kept) === flow, flow.open.requests, waiting.waits.requests]).toEqual([true, 1, 1])
})

test('a request that finds no room leaves no flow behind', () => {
  const waiting = createWaitingRequests<string>({ ...LIMITS, queueEventsMax: 0 })
  for (let n = 0; n < 100; n++) expect(waiting.hasRoomFor([requestOf(`address ${n}`)])).toBe(false)
  expect(waiting.flowsKept()).toBe(0)
})

test('a caller that sent an event five seconds ago counts as a neighbour of others, and for one second of its own large flows', () => {
  vi.useFakeTimers({ toFake: ['performance'] })
  onTestFinished(() => void vi.useRealTimers())
  vi.advanceTimersByTime(10_000)
  const waiting = createWaitingRequests<string>(LIMITS)
  const [small, own, other] = [requestOf('a'), { ...requestOf('a'), count: 500 }, { ...requestOf('b'), count: 500 }]
  const haveNeighbours = () => [own, other].map((one) => waiting.hasLightNeighbour(waiting.flowOf(one), performance.now()))
  for (const one of [small, own, other]) waiting.add(one)
  waiting.sentLight([small], performance.now())
  vi.advanceTimersByTime(999)
  expect(haveNeighbours()).toEqual([true, true])
  vi.advanceTimersByTime(4_000)
  expect(haveNeighbours()).toEqual([false, true])
  vi.advanceTimersByTime(1)
  expect(haveNeighbours()).toEqual([false, false])
})

test.each([
  ['1,010 small events', 1_010, 100, [1_000, 1_010]],
  ['60 events of many bytes', 60, 10_000, [26, 52, 60]],
])('the last part of %s is in the flow of the whole request, which is not light', (_name, count, bytes, ends) => {
  const json = 'x'.repeat(count * bytes)
  const partEnds = ends.map((end) => ({ count: end, length: end * bytes, fromMs: Date.now() }))
  const parts = partsOfRequest({ ...requestOf('a'), json, count, partEnds })
  const waiting = createWaitingRequests<string>(LIMITS)
  const flows = parts.map((part) => waiting.flowOf(part))
  expect(new Set(flows).size).toBe(1)
  expect(flows.map(isLight)).not.toContain(true)
  expect(isLight(waiting.flowOf(requestOf('a')))).toBe(true)
})
