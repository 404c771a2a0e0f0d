import { expect, test } from 'vitest'
import { createCallerShares } from '../../src/gateway/http/caller-shares.ts'
import { createTurns, inTurn, NoTurnError, type TurnLimits } from '../../src/gateway/http/turns.ts'
import { heldTasks } from '../harness/items/held-tasks.ts'

function turnsOf(changes: Partial<TurnLimits> & { callerRunningMax?: number; begun?: string[] } = {}) {
  const { callerRunningMax = 100, begun: order, ...limits } = changes
  const shares = createCallerShares(callerRunningMax)
  const turns = createTurns({ runningMax: 2, waitingMax: 100, callerWaitingMax: 100, shares, ...limits })
  const { begun, task, end } = heldTasks(order)
  const ask = (caller: string, name: string, hasShare = true) => inTurn(turns, { id: caller, hasShare }, task(name))
  return { turns, begun, end, ask }
}

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
