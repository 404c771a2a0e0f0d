import { setTimeout } from 'node:timers/promises'
import fc from 'fast-check'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { attributesOf, contentOf } from '../../src/ranking/similarity/content.ts'
import { similarityOf } from '../../src/ranking/similarity/matrix.ts'
import { SIMILARITY_DEFAULTS } from '../../src/ranking/similarity/settings.ts'
import { countContent, countSimilarity, type PoolOptions } from '../../src/workers/similarity-pool.ts'
import { historiesOf, listsOf, log, PRODUCTS, settings } from '../similarity/arbitrary.ts'
import { type LogEvent, slowRows } from '../similarity/reference.ts'

/** The file of threads with a fault. */
function faulty(fault: string): URL {
  vi.stubEnv('SIMILARITY_FAULT', fault)
  return new URL('faulty-counter.ts', import.meta.url)
}

afterEach(() => void vi.unstubAllEnvs())

const LOG = Array.from({ length: 2_000 }, (_, at): LogEvent => ({
  shopper: Math.floor(at / 7),
  product: (at * at + Math.floor(at / 13)) % PRODUCTS,
  day: 0,
}))
const HISTORIES = historiesOf(LOG, SIMILARITY_DEFAULTS)
const EXPECTED = similarityOf(HISTORIES, SIMILARITY_DEFAULTS)
const ATTRIBUTES = attributesOf(Array.from({ length: 500 }, (_, product) => [product % 40, product % 70, product % 3]))

const count = (options: PoolOptions) => countSimilarity(HISTORIES, SIMILARITY_DEFAULTS, options)

test.each([1, 2, 3, 4])('%i threads give the rows of the slow reference, for any log and bounds', async (threads) => {
  await fc.assert(
    fc.asyncProperty(log, settings, async (log, settings) => {
      const matrix = await countSimilarity(historiesOf(log, settings), settings, { threads })
      expect(listsOf(matrix)).toEqual(slowRows(log, PRODUCTS, settings))
    }),
    { numRuns: 8 },
  )
})

test.each([1, 2, 3, 4])('%i threads give the content of one function', async (threads) => {
  expect(await countContent(ATTRIBUTES, { threads })).toEqual(contentOf(ATTRIBUTES))
})

describe('a thread', () => {
  test.each([1, 3])('that ends in the middle of every block is replaced, of %i', async (threads) => {
    expect(await count({ threads, entry: faulty('ends') })).toEqual(EXPECTED)
  })

  test('that throws twice in a block is replaced twice', async () => {
    expect(await count({ threads: 2, entry: faulty('throws') })).toEqual(EXPECTED)
  })

  test('that does not come back from a block is ended, and its block counted by another one', async () => {
    expect(await count({ threads: 2, entry: faulty('hangs'), blockMsMax: 1_000 })).toEqual(EXPECTED)
  })

  test('that cannot count a block fails the matrix after three attempts, with the reason', async () => {
    await expect(count({ threads: 2, entry: faulty('always throws') })).rejects.toMatchObject({
      message: `3 threads ended in block 3 of ${PRODUCTS} of the similarity matrix`,
      cause: { message: 'out of luck' },
    })
  })

  test('whose file is missing fails the matrix', async () => {
    await expect(count({ threads: 1, entry: new URL('no-such-file.ts', import.meta.url) })).rejects.toThrow('did not start')
  })
})

describe('a signal', () => {
  test('that is raised before ends it before any thread starts', async () => {
    await expect(count({ threads: 1, signal: AbortSignal.abort(new Error('too late')) })).rejects.toThrow('too late')
  })

  test('ends threads in the middle of a block', async () => {
    const cancelling = new AbortController()
    const counted = count({
      threads: 2,
      entry: faulty('hangs'),
      signal: cancelling.signal,
      onProgress: () => cancelling.abort(new Error('cancelled')),
    })
    await expect(counted).rejects.toThrow('cancelled')
  })
})

test('progress counts every block once, also when blocks are counted again', async () => {
  const seen: number[] = []
  await count({ threads: 2, entry: faulty('throws'), onProgress: (done, total) => seen.push(done / total) })
  expect(seen).toEqual(Array.from({ length: PRODUCTS }, (_, at) => (at + 1) / PRODUCTS))
})

test('the event loop turns while threads count', async () => {
  let isDone = false
  let turns = 0
  const counted = count({ threads: 2 }).finally(() => (isDone = true))
  while (!isDone) {
    await setTimeout(1)
    turns += 1
  }
  await counted
  expect(turns).toBeGreaterThan(3)
})
