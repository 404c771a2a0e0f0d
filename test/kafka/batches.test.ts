import { expect, test } from 'vitest'
import { batchesOf } from '../../src/consumer/batches.ts'
import { createPositions, StaleSessionError } from '../../src/consumer/positions.ts'

const LIMITS = { itemsMax: 3, bytesMax: 100, msMax: 20, bytesOf: (item: number) => item }
const NEVER = new AbortController().signal

async function all(items: Iterable<number> | AsyncIterable<number>, changes: Partial<typeof LIMITS> = {}) {
  async function* source() {
    yield* items
  }
  const batches: number[][] = []
  for await (const batch of batchesOf(source(), { ...LIMITS, ...changes }, NEVER)) batches.push(batch)
  return batches
}

test('batches have at most so many items, and end where their bytes do', async () => {
  expect(await all([1, 2, 3, 4, 5, 6, 7])).toEqual([[1, 2, 3], [4, 5, 6], [7]])
  expect(await all([99, 1, 5, 120, 4])).toEqual([[99, 1], [5, 120], [4]])
  expect(await all([])).toEqual([])
})

test('a batch waits no longer than its time, and the item that comes later is in the next one', async () => {
  const gate = Promise.withResolvers<void>()
  async function* slow() {
    yield 1
    yield 2
    await gate.promise
    yield 3
  }
  const batches: number[][] = []
  for await (const batch of batchesOf(slow(), LIMITS, NEVER)) {
    batches.push(batch)
    gate.resolve()
  }
  expect(batches).toEqual([[1, 2], [3]])
})

test('it reads one item ahead and no further while a batch is being worked on', async () => {
  let read = 0
  async function* source() {
    for (let item = 1; item <= 20; item++) {
      read = item
      yield item
    }
  }
  for await (const batch of batchesOf(source(), LIMITS, NEVER)) expect(read).toBeLessThanOrEqual(batch.at(-1)! + 1)
  expect(read).toBe(20)
})

test('a stop ends the batches, and an error of the source is thrown', async () => {
  const stop = new AbortController()
  async function* endless() {
    yield 1
    await new Promise(() => undefined)
  }
  const batches: number[][] = []
  setImmediate(() => stop.abort())
  for await (const batch of batchesOf(endless(), { ...LIMITS, msMax: 60_000 }, stop.signal)) batches.push(batch)
  expect(batches).toEqual([[1]])
  async function* broken() {
    yield 1
    throw new Error('broken')
  }
  await expect(all(broken())).rejects.toThrow('broken')
})

test('a partition that comes back elsewhere ends the session, and one that is new or as it was does not', () => {
  const positions = createPositions()
  const at = (partition: number, next: bigint) => ({ topic: 't', partition, next })
  positions.assign([at(0, 5n), at(1, 0n)])
  positions.moved(positions.movesFor([{ topic: 't', partition: 0, offset: 9n }]))
  positions.assign([at(0, 10n), at(2, 7n)])
  expect(positions.isNew({ topic: 't', partition: 1, offset: 3n })).toBe(false)
  expect(positions.isNew({ topic: 't', partition: 0, offset: 9n })).toBe(false)
  expect(positions.isNew({ topic: 't', partition: 0, offset: 10n })).toBe(true)
  expect(() => positions.assign([at(1, 4n)])).toThrow(StaleSessionError)
  positions.assign([at(1, 0n)])
})
