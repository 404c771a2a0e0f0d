import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createLane } from '../../src/gateway/recording/lane.ts'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] })
})
afterEach(() => {
  vi.useRealTimers()
})

const laneOf = (changes = {}) => createLane({ flushesMax: 2, isPaced: false, ...changes })
const SMALL = { isHalfFull: false, isNextToOthers: false }
const HALF_FULL = { isHalfFull: true, isNextToOthers: false }
const inMs = (ms: number) => ms - performance.now()

function flush(lane: ReturnType<typeof laneOf>, tookMs: number): void {
  lane.began()
  vi.advanceTimersByTime(tookMs)
  lane.ended({ requests: 1, events: 1, tookMs })
}

test('the next flush goes out when the one before has ended, or immediately when it would be half full', () => {
  const lane = laneOf()
  expect(lane.nextMs(SMALL)).toBeLessThanOrEqual(performance.now())
  lane.began()
  expect(lane.nextMs(SMALL)).toBeGreaterThan(performance.now())
  expect(lane.nextMs(HALF_FULL)).toBeLessThanOrEqual(performance.now())
  lane.ended({ requests: 1, events: 1, tookMs: 20 })
  expect(lane.nextMs(SMALL)).toBeLessThanOrEqual(performance.now())
})

test('a flush of 100 ms, or of three times as long as usual, does not hold up the next one', () => {
  const lane = laneOf()
  for (let n = 0; n < 50; n++) flush(lane, 20)
  lane.began()
  expect(inMs(lane.nextMs(SMALL))).toBe(100)
  lane.ended({ requests: 1, events: 1, tookMs: 20 })
  for (let n = 0; n < 50; n++) flush(lane, 80)
  lane.began()
  expect(inMs(lane.nextMs(SMALL))).toBeCloseTo(240, 0)
})

test('one very slow flush changes little of what is usual', () => {
  const lane = laneOf()
  for (let n = 0; n < 50; n++) flush(lane, 80)
  flush(lane, 10_000)
  lane.began()
  expect(inMs(lane.nextMs(SMALL))).toBeCloseTo(300, 0)
})

test('all flushes of a lane may be slow, but not more than it may have', () => {
  const lane = laneOf()
  for (let n = 0; n < 50; n++) flush(lane, 20)
  lane.began()
  vi.advanceTimersByTime(100)
  expect(inMs(lane.nextMs(SMALL))).toBe(0)
  lane.began()
  vi.advanceTimersByTime(100)
  expect([lane.nextMs(SMALL), lane.nextMs(HALF_FULL)]).toEqual([Infinity, Infinity])
})

test('a paced lane waits for each flush, however slow it is', () => {
  const lane = laneOf({ isPaced: true })
  lane.began()
  vi.advanceTimersByTime(10_000)
  expect(lane.nextMs(SMALL)).toBe(Infinity)
})

test('after a flush of many requests the next one waits for their senders', () => {
  const lane = laneOf()
  lane.began()
  lane.ended({ requests: 8, events: 1, tookMs: 12 })
  expect(inMs(lane.nextMs(SMALL))).toBe(6)
  lane.began()
  lane.ended({ requests: 500, events: 1, tookMs: 200 })
  expect(inMs(lane.nextMs(SMALL))).toBe(10)
})

test('next to small requests of others large flushes go out in turn, each after a pause twice as long as the one before', () => {
  const lane = laneOf()
  const next = { isHalfFull: true, isNextToOthers: true }
  lane.began()
  expect(lane.nextMs(next)).toBeGreaterThan(performance.now())
  lane.ended({ requests: 1, events: 1_000, tookMs: 40 })
  expect(inMs(lane.nextMs(next))).toBe(80)
  expect(lane.nextMs(HALF_FULL)).toBeLessThanOrEqual(performance.now())
  vi.advanceTimersByTime(80)
  lane.began()
  lane.ended({ requests: 1, events: 1_000, tookMs: 9_000 })
  expect(inMs(lane.nextMs(next))).toBe(100)
  lane.began()
  lane.ended({ requests: 1, events: 100, tookMs: 50 })
  vi.advanceTimersByTime(100)
  expect(lane.nextMs(next)).toBeLessThanOrEqual(performance.now())
})

test('a pause follows even a small flush whose events are of many months', () => {
  const lane = laneOf({ isCostly: true })
  lane.began()
  lane.ended({ requests: 1, events: 10, tookMs: 50 })
  expect(inMs(lane.nextMs({ isHalfFull: false, isNextToOthers: true }))).toBe(100)
  lane.began()
  lane.ended({ requests: 1, events: 10, tookMs: 9_000 })
  expect(inMs(lane.nextMs({ isHalfFull: false, isNextToOthers: true }))).toBe(500)
  expect(lane.nextMs(SMALL)).toBeLessThanOrEqual(performance.now())
})
