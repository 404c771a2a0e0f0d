import { expect, test } from 'vitest'
import { eachAtOnce, groupsOf } from '../../src/main/reconcile/at-once.ts'
import { gapIn } from '../../src/main/reconcile/coverage.ts'

const NOW_MS = Date.parse('2026-03-01T12:00:00Z')
const HOUR_MS = 3_600_000
const looked = { compared: 10, lost: [], fromMs: NOW_MS - HOUR_MS, toMs: NOW_MS }
const server = { timeline: 2, systemIdentifier: '1' }
const changed = { current: server, acknowledged: { ...server, timeline: 1 }, isChanged: true, found: undefined }
const found = { comparedAt: new Date(NOW_MS - 2 * HOUR_MS), calls: 3, from: null, to: null, byHandler: {} }
const minutes = (n: number) => ({ ...changed, noticedSeconds: n * 60 })

test('a comparison that reaches back before the change says whether calls are missing', () => {
  expect(gapIn(looked, { ...changed, noticedSeconds: null })).toBeUndefined()
  expect(gapIn(looked, minutes(50))).toBeUndefined()
  expect(gapIn(looked, { ...minutes(50), found })).toBeUndefined()
  expect(gapIn({ ...looked, compared: 0 }, { ...changed, isChanged: false, noticedSeconds: null })).toBeUndefined()
})

test('a later comparison, or one with an empty Restate, says nothing about the calls that were lost', () => {
  expect(gapIn(looked, minutes(51))).toContain('calls before 2026-03-01T11:00:00.000Z were not compared')
  expect(gapIn({ ...looked, compared: 0 }, minutes(1))).toContain('Restate remembers no call since 2026-03-01T11:00:00.000Z')
  expect(gapIn(looked, { ...minutes(120), found })).toContain('PostgreSQL lacked 3 of the calls')
  expect(gapIn(looked, { ...minutes(120), found: { ...found, calls: 0 } })).toBeUndefined()
})

test('what is not items is worked on alone and in its place', () => {
  expect([...groupsOf([1, 2, -1, 3, -2, -3, 4, 5], (n) => n > 0)]).toEqual([[1, 2], [-1], [3], [-2], [-3], [4, 5]])
})

test('items are worked on some at once, and none is begun after a failure', async () => {
  let [running, most] = [0, 0]
  const begun: number[] = []
  const work = async (n: number) => {
    begun.push(n)
    most = Math.max(most, ++running)
    await new Promise((resolve) => setImmediate(resolve))
    running--
    if (n === 5) throw new Error('five')
    return n * 10
  }
  expect(await eachAtOnce([1, 2, 3, 4], 2, work)).toEqual([10, 20, 30, 40])
  expect(most).toBe(2)
  begun.length = 0
  await expect(eachAtOnce([4, 5, 6, 7, 8, 9], 2, work)).rejects.toThrow('five')
  expect(begun.length).toBeLessThan(6)
  expect(running).toBe(0)
})
