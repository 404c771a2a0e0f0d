import { expect, onTestFinished, test, vi } from 'vitest'
import { createSendingCallers } from '../../src/gateway/http/sending-callers.ts'
import { createCallGate } from '../../src/gateway/recording/call-gate.ts'
import { heldTasks } from '../harness/items/held-tasks.ts'
import { watched } from '../harness/watched.ts'

const gateOf = (changes = {}) => {
  let turnedAway = 0
  const sending = createSendingCallers()
  const limits = { callsMax: 1, callerCallsMax: 10, sending, waitingMax: 10, waitMsMax: 60_000, bytesMax: 100, ...changes }
  const gate = createCallGate({ ...limits, onFull: () => turnedAway++ })
  const { begun, task, end } = heldTasks()
  const call = (caller: string, name: string, bytes: number, signal?: AbortSignal) =>
    watched(gate({ caller, signal, body: Buffer.alloc(bytes) }, task(name)))
  return { call, begun, end, sending, turnedAway: () => turnedAway }
}

test('it limits the bytes of all calls, and reports each request that it refuses', async () => {
  const { call, begun, end, turnedAway } = gateOf()
  const first = call('shop', 'a', 60)
  const second = call('other', 'b', 40)
  await expect(call('third', 'c', 1)).rejects.toMatchObject({ code: 'unavailable' })
  expect([begun, turnedAway()]).toEqual([['a'], 1])
  await end('a')
  expect(await first).toBe('a')
  const third = call('shop', 'd', 60)
  await end('b')
  expect(await second).toBe('b')
  await end('d')
  expect([await third, begun, turnedAway()]).toEqual(['d', ['a', 'b', 'd'], 1])
})

test('a caller with several calls leaves a quarter of the bytes to others', async () => {
  const { call, begun } = gateOf({ callsMax: 4 })
  void call('flooding', 'f1', 50)
  await expect(call('flooding', 'f2', 26)).rejects.toMatchObject({ code: 'unavailable' })
  void call('a', 'a1', 50)
  expect(begun).toEqual(['f1', 'a1'])
  void gateOf().call('shop', 'alone', 100)
})

test('a caller leaves a quarter of the places to others', async () => {
  const { call, begun } = gateOf({ callsMax: 4 })
  for (let n = 1; n <= 4; n++) void call('flooding', `f${n}`, 1)
  expect(begun).toEqual(['f1', 'f2', 'f3'])
  void call('a', 'a1', 1)
  expect(begun).toEqual(['f1', 'f2', 'f3', 'a1'])
})

test('while others send, in whatever way, a caller has fewer calls at the same time', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  onTestFinished(() => void vi.useRealTimers())
  const { call, begun, end, sending } = gateOf({ callsMax: 4, callerCallsMax: 1 })
  void call('flooding', 'f1', 1)
  void call('flooding', 'f2', 1)
  expect(begun).toEqual(['f1', 'f2'])
  sending.note('a')
  for (const name of ['f3', 'f4', 'f5']) void call('flooding', name, 1)
  await end('f1')
  expect(begun).toEqual(['f1', 'f2'])
  await end('f2')
  expect(begun).toEqual(['f1', 'f2', 'f3'])
  void call('a', 'a1', 1)
  expect(begun).toEqual(['f1', 'f2', 'f3', 'a1'])
  // Alone again, it has three places.
  vi.advanceTimersByTime(1_000)
  await end('a1')
  expect(begun).toEqual(['f1', 'f2', 'f3', 'a1', 'f4', 'f5'])
})

test('after a large call a caller pauses while others send', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  onTestFinished(() => void vi.useRealTimers())
  const { call, begun, end, sending } = gateOf({ bytesMax: 1_000_000, callerCallsMax: 1 })
  const first = call('flooding', 'f1', 20_000)
  void call('flooding', 'f2', 20_000)
  sending.note('a')
  vi.advanceTimersByTime(100)
  await end('f1')
  vi.advanceTimersByTime(99)
  expect([await first, begun]).toEqual(['f1', ['f1']])
  vi.advanceTimersByTime(1)
  expect(begun).toEqual(['f1', 'f2'])
})

test('a call whose caller hangs up leaves the line, and is never made', async () => {
  const { call, begun, end } = gateOf()
  const first = call('shop', 'a', 1)
  const caller = new AbortController()
  const gone = call('other', 'b', 99, caller.signal)
  caller.abort()
  await expect(gone).rejects.toMatchObject({ code: 'unavailable' })
  // Its bytes are free again.
  const next = call('third', 'c', 99)
  await end('a')
  await end('c')
  expect([await first, await next, begun]).toEqual(['a', 'c', ['a', 'c']])
})

test('a call whose caller has hung up before it is never made', async () => {
  const { call, begun } = gateOf()
  await expect(call('shop', 'a', 1, AbortSignal.abort())).rejects.toMatchObject({ code: 'unavailable' })
  expect(begun).toEqual([])
})

test('a call that waits too long is refused as not recorded, and is never made', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  onTestFinished(() => void vi.useRealTimers())
  const { call, begun, end, turnedAway } = gateOf({ waitMsMax: 100 })
  const first = call('shop', 'a', 1)
  const refused = call('shop', 'b', 1).catch((error: unknown) => error)
  vi.advanceTimersByTime(100)
  expect(await refused).toMatchObject({
    code: 'unavailable',
    message: expect.stringContaining('nothing of this request was recorded'),
  })
  await end('a')
  expect([await first, begun, turnedAway()]).toEqual(['a', ['a'], 1])
})

test('a call that has begun goes on when its caller hangs up, and keeps its place until it has ended', async () => {
  const { call, begun, end } = gateOf()
  const caller = new AbortController()
  const first = call('shop', 'a', 1, caller.signal)
  const second = call('shop', 'b', 1)
  caller.abort()
  expect(begun).toEqual(['a'])
  await end('a')
  expect([await first, begun]).toEqual(['a', ['a', 'b']])
  await end('b')
  await second
})
