import { setImmediate as turn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { createLoopShare } from '../../src/gateway/http/loop-share.ts'
import { until } from '../../src/main/embedded/until.ts'
import { headOf, rawConnection, statusesIn } from '../harness/clients/raw-request.ts'
import { SECRET_KEY, withKey } from '../harness/items/known-key.ts'
import { offlineGateway } from '../harness/servers/offline-gateway.ts'

function shareOf(callerMax: number, allMax = 1_000) {
  const share = createLoopShare({ aloneMax: callerMax, callerMax, allMax })
  const begun: string[] = []
  const begin = (caller: string, name: string, { cost = 1, isBody = false } = {}) => {
    const task = () => {
      begun.push(name)
      return cost
    }
    share.begin(caller, task, isBody)
  }
  return { begun, begin }
}

test('a caller begins no more in a turn of the event loop than its share, and all of it in order', async () => {
  const { begun, begin } = shareOf(2)
  for (const name of ['a1', 'a2', 'a3', 'a4', 'a5']) begin('a', name)
  expect(begun).toEqual(['a1', 'a2'])
  begin('b', 'b1')
  expect(begun).toEqual(['a1', 'a2', 'b1'])
  await turn()
  expect(begun).toEqual(['a1', 'a2', 'b1', 'a3', 'a4'])
  begin('a', 'a6')
  begin('b', 'b2')
  expect(begun.at(-1)).toBe('b2')
  await turn()
  expect(begun.slice(-2)).toEqual(['a5', 'a6'])
})

test('the only caller has a larger share', async () => {
  const share = createLoopShare({ aloneMax: 3, callerMax: 1, allMax: 10 })
  const begun: string[] = []
  const begin = (caller: string, name: string) => share.begin(caller, () => begun.push(name) && 1)
  for (const name of ['a1', 'a2', 'a3', 'a4', 'a5', 'a6', 'a7']) begin('a', name)
  expect(begun).toEqual(['a1', 'a2', 'a3'])
  begin('b', 'b1')
  for (let turns = 0; turns < 3; turns++) await turn()
  expect(begun.slice(3)).toEqual(['b1', 'a4'])
  await turn()
  expect(begun.slice(5)).toEqual(['a5'])
})

test('a task that costs more than a share keeps its caller waiting for as many turns', async () => {
  const { begun, begin } = shareOf(2)
  begin('a', 'large', { cost: 6 })
  begin('a', 'next')
  for (let turns = 0; turns < 2; turns++) {
    await turn()
    expect(begun).toEqual(['large'])
  }
  await turn()
  expect(begun).toEqual(['large', 'next'])
})

test('a share that was not used is not saved', async () => {
  const { begun, begin } = shareOf(2)
  begin('a', 'a1')
  for (let turns = 0; turns < 5; turns++) await turn()
  for (const name of ['a2', 'a3', 'a4']) begin('a', name)
  expect(begun).toEqual(['a1', 'a2', 'a3'])
})

test('all callers together begin no more in a turn than the bound, and each caller has its turn', async () => {
  const { begun, begin } = shareOf(2, 3)
  for (const caller of ['a', 'b', 'c', 'd']) for (let n = 1; n <= 3; n++) begin(caller, `${caller}${n}`)
  expect(begun).toEqual(['a1', 'a2', 'b1'])
  await turn()
  expect(begun.slice(3)).toEqual(['a3', 'b2', 'b3'])
  await turn()
  expect(begun.slice(6)).toEqual(['c1', 'c2', 'd1'])
  await turn()
  expect(begun.slice(9)).toEqual(['c3', 'd2', 'd3'])
})

test('a body that has arrived goes before the requests of its caller that have not begun', async () => {
  const { begun, begin } = shareOf(1)
  for (const name of ['a1', 'a2', 'a3']) begin('a', name)
  begin('a', 'body of a1', { isBody: true })
  expect(begun).toEqual(['a1'])
  for (let turns = 0; turns < 3; turns++) await turn()
  expect(begun).toEqual(['a1', 'body of a1', 'a2', 'a3'])
})

test('a task may begin another one of its caller', async () => {
  const share = createLoopShare({ aloneMax: 1, callerMax: 1, allMax: 10 })
  const begun: string[] = []
  const outer = (name: string) => () => {
    begun.push(name)
    share.begin('a', () => begun.push(`body of ${name}`), true)
    return 1
  }
  for (const name of ['a1', 'a2']) share.begin('a', outer(name))
  for (let turns = 0; turns < 10; turns++) await turn()
  expect(begun.toSorted()).toEqual(['a1', 'a2', 'body of a1', 'body of a2'])
})

test('thousands of requests all begin', async () => {
  const { begun, begin } = shareOf(4)
  for (let n = 0; n < 4_000; n++) begin(n % 3 === 0 ? 'a' : 'b', `${n}`)
  for (let turns = 0; turns < 4_000 && begun.length < 4_000; turns++) await turn()
  expect(begun).toHaveLength(4_000)
})

test('a body that is said to be endless keeps the next requests of its key waiting no longer than one that is read', async () => {
  await using gateway = await offlineGateway(withKey(SECRET_KEY))
  const port = await gateway.listen()
  for (let n = 0; n < 2; n++) {
    const { send, received } = await rawConnection(port)
    await send(headOf('/api/v1/analytic/interaction', { authorization: 'Bearer k', 'content-length': Number.MAX_SAFE_INTEGER }))
    expect(await until(async () => statusesIn(received()).includes(413), 10_000)).toBe(true)
  }
})
