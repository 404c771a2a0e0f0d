import { setImmediate as turn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { createLoopShare } from '../../src/gateway/http/loop-share.ts'
import { until } from '../../src/main/embedded/until.ts'
import { headOf, rawConnection, statusesIn } from '../harness/clients/raw-request.ts'
import { SECRET_KEY, withKey } from '../harness/items/known-key.ts'
import { offlineGateway } from '../harness/servers/offline-gateway.ts'

function shareOf(shareMax: number) {
  const share = createLoopShare(shareMax)
  const begun: string[] = []
  const begin = (caller: string, name: string, cost = 1) => share.begin(caller, cost, () => begun.push(name))
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

test('a work that costs more than a share keeps its caller waiting for as many turns', async () => {
  const { begun, begin } = shareOf(2)
  begin('a', 'large', 6)
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
