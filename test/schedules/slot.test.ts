import fc from 'fast-check'
import { expect, test } from 'vitest'
import { slotAfter } from '../../services/handler/slot.ts'
import { pauseAfter } from '../../services/task.ts'

const EVERY_MS = 60_000

test('under a late, early or stopped clock slots stay on the grid, rise, and are not caught up', () => {
  const lateness = fc.array(fc.integer({ min: -2 * EVERY_MS, max: 20 * EVERY_MS }), { minLength: 1, maxLength: 50 })
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 42 }), lateness, (first, latenesses) => {
      let slot = first
      for (const lateMs of latenesses) {
        const now = slot + lateMs
        const next = slotAfter(slot, EVERY_MS, now)
        expect((next - first) % EVERY_MS).toBe(0)
        expect(next).toBeGreaterThan(slot)
        expect(next).toBeGreaterThan(now)
        // The next slot is the first one in the future, so only past slots are skipped.
        expect(next === slot + EVERY_MS || next - EVERY_MS <= now).toBe(true)
        slot = next
      }
    }),
  )
})

test('a slot that is late by exactly one interval is followed by the slot after the missed one', () => {
  expect(slotAfter(0, EVERY_MS, EVERY_MS - 1)).toBe(EVERY_MS)
  expect(slotAfter(0, EVERY_MS, EVERY_MS)).toBe(2 * EVERY_MS)
})

test('the pause between two attempts doubles up to its limit', () => {
  const limits = { initialInterval: 100, maxInterval: 30_000, maxAttempts: 120 }
  expect([1, 2, 3, 9, 10, 120].map((attempts) => pauseAfter(attempts, limits))).toEqual([100, 200, 400, 25_600, 30_000, 30_000])
})
