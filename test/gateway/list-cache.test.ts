import fc from 'fast-check'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { BLOCK_ROWS, createListCache, type ListedRow, pageOf, type RankedList } from '../../src/gateway/caching/list-cache.ts'

const MS_MAX = 1_000
const CALLER = { id: 'shop', hasShare: true }

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] })
})
afterEach(() => {
  vi.useRealTimers()
})

interface Place {
  score: number
  id: number
}

const compare = (one: Place, other: Place) => other.score - one.score || one.id - other.id

/** A list with changeable scores that counts its reads. */
function listOf(scores: readonly number[]) {
  const list = {
    reads: 0,
    rowsRead: 0,
    fails: false,
    rows: [] as ListedRow<Place>[],
    become: (changed: readonly number[]) => {
      const places = changed.map((score, id) => ({ score, id })).sort(compare)
      list.rows = places.map((position) => ({ position, json: `${position.id}:${position.score}é` }))
    },
  }
  list.become(scores)
  const ranked: RankedList<Place> = {
    compare,
    rowsAfter: async (after, limit) => {
      list.reads++
      if (list.fails) throw new Error('away')
      const rows = slice(list.rows, after, limit)
      list.rowsRead += rows.length
      return rows
    },
    pageAfter: async (after, limit) => pageOf(await ranked.rowsAfter(after, limit + 1), limit),
  }
  return { list, ranked }
}

function slice(rows: readonly ListedRow<Place>[], after: Place | undefined, limit: number): ListedRow<Place>[] {
  return rows.filter(({ position }) => after === undefined || compare(position, after) > 0).slice(0, limit)
}

const jsonOf = (rows: readonly ListedRow<Place>[]) => rows.map((row) => row.json).join(',')

const scoresOf = (count: number) => Array.from({ length: count }, (_, id) => (id * 7_919) % 97)

test('pages of any length list every row once, in order', async () => {
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(0, MS_MAX), fc.integer({ min: 1, max: 100 }), async (msMax, limit) => {
      const { list, ranked } = listOf(scoresOf(11_000))
      const read = createListCache(ranked, msMax)
      const met: string[] = []
      let after: Place | undefined
      do {
        const page = await read(after, limit, CALLER)
        met.push(...page.json.toString().split(','))
        after = page.next
      } while (after !== undefined)
      expect(met).toEqual(list.rows.map((row) => row.json))
    }),
    { numRuns: 6, examples: [[MS_MAX, 100]] },
  )
})

test('an answer of a changing list is never older than a second', async () => {
  const step = fc.record({
    waitMs: fc.integer({ min: 0, max: 700 }),
    bumps: fc.array(fc.tuple(fc.nat(2_999), fc.integer({ min: -40, max: 40 })), { maxLength: 400 }),
    after: fc.option(fc.record({ score: fc.integer({ min: -20, max: 120 }), id: fc.nat(2_999) }), { nil: undefined }),
    limit: fc.integer({ min: 1, max: 100 }),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25 }), async (steps) => {
      const scores = scoresOf(3_000)
      const { list, ranked } = listOf(scores)
      const read = createListCache(ranked, MS_MAX)
      const versions = [{ fromMs: performance.now(), rows: list.rows }]
      for (const { waitMs, bumps, after, limit } of steps) {
        vi.advanceTimersByTime(waitMs)
        for (const [id, by] of bumps) scores[id]! += by
        list.become(scores)
        versions.push({ fromMs: performance.now(), rows: list.rows })
        const { json } = await read(after, limit, CALLER)
        const recent = versions.filter((_, index) => (versions[index + 1]?.fromMs ?? Infinity) >= performance.now() - MS_MAX)
        expect(recent.map((version) => jsonOf(slice(version.rows, after, limit)))).toContain(json.toString())
      }
    }),
    { numRuns: 60 },
  )
})

test('concurrent callers, and callers within the second, share one read', async () => {
  const { list, ranked } = listOf(scoresOf(3_000))
  const read = createListCache(ranked, MS_MAX)
  await Promise.all(Array.from({ length: 100 }, (_, index) => read(undefined, 1 + index, CALLER)))
  expect(list.reads).toBe(1)
  vi.advanceTimersByTime(MS_MAX)
  await read(undefined, 10, CALLER)
  expect(list.reads).toBe(2)
})

test('random cursors in the head cost few reads, and deeper ones no more than without a cache', async () => {
  const { list, ranked } = listOf(scoresOf(60_000))
  const read = createListCache(ranked, MS_MAX)
  const head = 10 * BLOCK_ROWS
  for (let index = 0; index < 2_000; index++) await read(list.rows[(index * 7_919) % head]!.position, 20, CALLER)
  expect(list.reads).toBeLessThan(60)
  for (let index = 0; index < 200; index++) await read(list.rows[30_000 + index]!.position, 20, CALLER)
  list.reads = 0
  list.rowsRead = 0
  for (let index = 0; index < 100; index++) await read(list.rows[40_000 + index]!.position, 20, CALLER)
  expect({ reads: list.reads, rows: list.rowsRead }).toEqual({ reads: 100, rows: 2_100 })
})

test('a failed read fails all callers that waited for it, and no later one', async () => {
  const { list, ranked } = listOf(scoresOf(100))
  const read = createListCache(ranked, MS_MAX)
  list.fails = true
  const outcomes = await Promise.allSettled([read(undefined, 5, CALLER), read(undefined, 6, CALLER)])
  expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  list.fails = false
  expect((await read(undefined, 5, CALLER)).json.toString()).toBe(jsonOf(list.rows.slice(0, 5)))
})

test('a caller that comes a second after the start of a slow read waits for a newer one', async () => {
  const reads: { askedMs: number; answer: () => void }[] = []
  const ranked: RankedList<Place> = {
    compare,
    rowsAfter: () =>
      new Promise((resolve) => {
        const askedMs = performance.now()
        reads.push({ askedMs, answer: () => resolve([{ position: { score: askedMs, id: 1 }, json: String(askedMs) }]) })
      }),
    pageAfter: async () => expect.fail('the head of the list is read in blocks'),
  }
  const read = createListCache(ranked, MS_MAX)
  const first = read(undefined, 1, CALLER)
  vi.advanceTimersByTime(2_400)
  const late = read(undefined, 1, CALLER)
  reads[0]!.answer()
  expect((await first).json.toString()).toBe(String(reads[0]!.askedMs))
  await vi.waitUntil(() => reads.length === 2)
  reads[1]!.answer()
  expect((await late).json.toString()).toBe(String(reads[1]!.askedMs))
})
