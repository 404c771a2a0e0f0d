import { expect, test } from 'vitest'
import { z } from 'zod'
import { AnalyticsEvent } from '../../src/contract/analytics-event.ts'
import { DAY_MS } from '../../src/contract/fields/time.ts'
import { reportTableRow } from '../../src/cli/commands/seed.ts'
import { SEED_DAYS, SEED_ENTITIES, SEED_EVENTS, seedEvents } from '../../src/cli/seed/events.ts'

const END_MS = Date.parse('2026-03-01T00:00:00Z')

test('a seed always gives the same 25,000 valid events of 90 days, 240 entities and 3 sources', () => {
  const events = seedEvents(1, END_MS)
  expect(events).toHaveLength(SEED_EVENTS)
  expect(events).toEqual(seedEvents(1, END_MS))
  expect(seedEvents(2, END_MS)).not.toEqual(events)
  expect(z.array(AnalyticsEvent).safeParse(events).success).toBe(true)
  const distinct = (field: 'source' | 'entity_id' | 'external_ref') => new Set(events.map((event) => event[field])).size
  expect([distinct('source'), distinct('entity_id'), distinct('external_ref')]).toEqual([3, SEED_ENTITIES, SEED_EVENTS])
  const days = new Set(events.map(({ occurred_at }) => occurred_at.slice(0, 10)))
  expect(days.size).toBe(SEED_DAYS)
  const times = events.map(({ occurred_at }) => Date.parse(occurred_at)).sort((one, other) => one - other)
  expect(times[0]).toBeGreaterThanOrEqual(END_MS - SEED_DAYS * DAY_MS)
  expect(times.at(-1)).toBeLessThan(END_MS)
})

test('amounts are shown in their currency, with its decimals', () => {
  const amounts = [
    { currency: 'EUR', amount: 1_234_567 },
    { currency: 'JPY', amount: 4_900 },
    { currency: 'KWD', amount: -1_500 },
  ]
  const row = { event_count: 3, amounts, processing_ms_avg: 12.6, processing_ms_max: 20 }
  expect(reportTableRow(row)).toEqual({
    ...{ event_count: 3, processing_ms_avg: 13, processing_ms_max: 20 },
    amounts: '€12,345.67, ¥4,900, -KWD\u00a01.500',
  })
})
