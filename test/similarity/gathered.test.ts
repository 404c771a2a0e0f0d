import { setImmediate as turn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { gathered } from '../../src/store/database/gathered.ts'

test('callers of the same moment share a read, and later ones get the next', async () => {
  const reads: (readonly number[])[] = []
  const held: PromiseWithResolvers<void>[] = []
  const ask = gathered(async (keys: readonly number[]) => {
    reads.push(keys)
    const one = Promise.withResolvers<void>()
    held.push(one)
    await one.promise
    return new Map(keys.filter((key) => key < 10).map((key) => [key, `value ${key}`]))
  }, 100)
  const first = [ask([1, 2]), ask([2, 30])]
  await turn()
  await turn()
  expect(reads).toEqual([[1, 2, 30]])
  const second = ask([1])
  await turn()
  expect(reads).toHaveLength(1)
  held[0]!.resolve()
  expect(await first[0]).toEqual(
    new Map([
      [1, 'value 1'],
      [2, 'value 2'],
    ]),
  )
  expect((await first[1]!).get(30)).toBeUndefined()
  await turn()
  expect(reads).toEqual([[1, 2, 30], [1]])
  held[1]!.resolve()
  expect((await second).get(1)).toBe('value 1')
})

test('a read has at most so many keys, unless one caller has more, and its error is that of its callers alone', async () => {
  const reads: number[] = []
  const ask = gathered(async (keys: readonly number[]) => {
    reads.push(keys.length)
    if (keys.includes(7)) throw new Error('no luck')
    return new Map(keys.map((key) => [key, true]))
  }, 3)
  const answers = await Promise.allSettled([ask([1, 2]), ask([3, 4]), ask([5, 6, 7, 8]), ask([9])])
  expect(reads).toEqual([2, 2, 4, 1])
  expect(answers.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'fulfilled'])
})
