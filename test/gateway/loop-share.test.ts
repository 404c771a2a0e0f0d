import { setImmediate as turn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { createLoopShare } from '../../src/gateway/http/loop-share.ts'

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
