import { expect, test } from 'vitest'
import { lastHourOfDay } from '../../src/ranking/day.ts'

test.for([
  ['2026-03-02T03:00:00.000Z', '2026-03-02T03:00:00.000Z'],
  ['2026-03-02T02:59:59.999Z', '2026-03-01T03:00:00.000Z'],
  ['2026-03-02T23:59:59.999Z', '2026-03-02T03:00:00.000Z'],
  ['2026-03-01T00:00:00.000Z', '2026-02-28T03:00:00.000Z'],
])('at %s the last 3 o’clock of UTC was %s', ([now, last]) => {
  expect(new Date(lastHourOfDay(3, Date.parse(now!))).toISOString()).toBe(last)
})
