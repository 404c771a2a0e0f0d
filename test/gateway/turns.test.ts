import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { createCallerShares } from '../../src/gateway/http/caller-shares.ts'
import { createTurns, inTurn, NoTurnError, type TurnLimits } from '../../src/gateway/http/turns.ts'
import { createCallGate } from '../../src/gateway/recording/call-gate.ts'
import { createSendingCallers } from '../../src/gateway/http/sending-callers.ts'
import { watched } from '../harness/watched.ts'

/** Tasks that are ended by hand, and the order in which they began. */
function tasks(begun: string[] = []) {
  const ends = new Map<string, () => void>()
  const task = (name: string) => () => {
    begun.push(name)
    return new Promise<string>((resolve) => ends.set(name, () => resolve(name)))
  }
  const end = async (name: string) => {
    ends.get(name)!()
    await turn()
  }
  return { begun, task, end }
}

function turnsOf(changes: Partial<TurnLimits> & { callerRunningMax?: number; begun?: string[] } = {}) {
  const { callerRunningMax = 100, begun: order, ...limits } = changes
  const shares = createCallerShares(callerRunningMax)
  const turns = createTurns({ runningMax: 2, waitingMax: 100, callerWaitingMax: 100, shares, ...limits })
  const { begun, task, end } = tasks(order)
  const ask = (caller: string, name: string, hasShare = true) => inTurn(turns, { id: caller, hasShare }, task(name))
  return { turns, begun, end, ask }
}

describe('turns', () => {
  test('the tasks of a caller run in their order, and no more of them than are allowed', async () => {
    const { begun, end, ask } = turnsOf()
    const answers = ['a', 'b', 'c'].map((name) => ask('shop', name))
    expect(begun).toEqual(['a', 'b'])
    await end('b')
    expect(begun).toEqual(['a', 'b', 'c'])
    await end('a')
    await end('c')
    expect(await Promise.all(answers)).toEqual(['a', 'b', 'c'])
  })

  test('a task that fails gives its place to the next', async () => {
    const { turns } = turnsOf({ runningMax: 1 })
    const shop = { id: 'shop', hasShare: true }
    const failed = inTurn(turns, shop, () => Promise.reject(new Error('the database is away')))
    const next = inTurn(turns, shop, async () => 'read')
    await expect(failed).rejects.toThrow('the database is away')
    expect(await next).toBe('read')
  })

  test('callers take turns, however many tasks one of them has', async () => {
    const { begun, end, ask } = turnsOf({ runningMax: 1 })
    for (let n = 1; n <= 4; n++) void ask('flooding', `f${n}`)
    for (const name of ['a1', 'a2']) void ask('a', name)
    void ask('b', 'b1')
    for (const name of ['f1', 'f2', 'a1', 'b1', 'f3', 'a2', 'f4']) {
      expect(begun.at(-1)).toBe(name)
      await end(name)
    }
  })

  test('a caller does not take the places of others, even when they are free', async () => {
    const { begun, end, ask } = turnsOf({ callerRunningMax: 1 })
    for (let n = 1; n <= 3; n++) void ask('flooding', `f${n}`)
    expect(begun).toEqual(['f1'])
    void ask('a', 'a1')
    expect(begun).toEqual(['f1', 'a1'])
    await end('f1')
    expect(begun).toEqual(['f1', 'a1', 'f2'])
  })

  test('the share of a caller counts in all lines that it is for', async () => {
    const shares = createCallerShares(1)
    const [lists, reports] = [turnsOf({ shares }), turnsOf({ shares })]
    void lists.ask('flooding', 'list')
    void reports.ask('flooding', 'report')
    void reports.ask('a', 'of a')
    expect([lists.begun, reports.begun]).toEqual([['list'], ['of a']])
    await lists.end('list')
    expect(reports.begun).toEqual(['of a', 'report'])
  })

  test('lines take turns for the freed place of a caller', async () => {
    const shares = createCallerShares(1)
    const begun: string[] = []
    const [lists, reports] = [turnsOf({ shares, begun }), turnsOf({ shares, begun })]
    for (let n = 1; n <= 4; n++) void lists.ask('shop', `list ${n}`)
    for (let n = 1; n <= 2; n++) void reports.ask('shop', `report ${n}`)
    // The tasks of others do not change whose turn it is.
    for (const [name, line] of [
      ['list 1', lists],
      ['report 1', reports],
      ['list 2', lists],
      ['report 2', reports],
      ['list 3', lists],
    ] as const) {
      expect(begun.at(-1)).toBe(name)
      void lists.ask('other', 'of another')
      await lists.end('of another')
      begun.pop()
      await line.end(name)
    }
    expect(begun.at(-1)).toBe('list 4')
  })

  test('without keys a caller may take every place', () => {
    const { begun, ask } = turnsOf({ callerRunningMax: 1, callerWaitingMax: 0 })
    for (const name of ['a', 'b', 'c']) void ask('127.0.0.1', name, false)
    expect(begun).toEqual(['a', 'b'])
  })

  test('a caller with too many waiting tasks is turned away, and others are not', async () => {
    const { begun, ask, turns } = turnsOf({ runningMax: 1, callerWaitingMax: 2, waitingMax: 3 })
    for (const name of ['f1', 'f2', 'f3']) void ask('flooding', name)
    await expect(ask('flooding', 'f4')).rejects.toThrow(NoTurnError)
    void ask('a', 'a1')
    await expect(ask('b', 'b1')).rejects.toThrow(NoTurnError)
    expect([begun, turns.waiting()]).toEqual([['f1'], 3])
  })

  test('a task that leaves the line is not begun, and the others keep their order', async () => {
    const { begun, end, ask, turns } = turnsOf({ runningMax: 1 })
    void ask('a', 'a1')
    const leave = turns.enter({ id: 'b', hasShare: true }, () => expect.unreachable())
    void ask('b', 'b2')
    leave()
    leave()
    expect(turns.waiting()).toBe(1)
    await end('a1')
    expect(begun).toEqual(['a1', 'b2'])
  })
})

describe('the gate of calls with one request', () => {
  const gateOf = (changes = {}) => {
    let turnedAway = 0
    const sending = createSendingCallers()
    const limits = { callsMax: 1, callerCallsMax: 10, sending, waitingMax: 10, waitMsMax: 60_000, bytesMax: 100, ...changes }
    const gate = createCallGate({ ...limits, onFull: () => turnedAway++ })
    const { begun, task, end } = tasks()
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
})
