import { expect } from 'vitest'
import { EventTypesResponse } from '../../src/contract/event-type.ts'
import { DAY_MS } from '../../src/contract/fields/time.ts'
import { PRESETS } from '../../src/ranking/weights.ts'
import { eventTypes, unweightedAmong } from '../../src/store/popularity/event-types.ts'
import { freshPgTest as test } from '../harness/fixtures.ts'
import { interaction, recordAndCount } from '../harness/items/events.ts'

test('types are listed with their weights, counters and numbers, the most frequent first', async ({ db }) => {
  const nowMs = Date.now()
  const of = (eventType: string, ageDays: number, count: number) =>
    Array.from({ length: count }, () => interaction({ eventType, occurredAtMs: nowMs - ageDays * DAY_MS }))
  await recordAndCount(db, [...of('view', 0, 3), ...of('quick_view', 0, 4), ...of('view', 40, 2), ...of('old_type', 40, 1)])

  const all = EventTypesResponse.parse(await eventTypes(db, undefined, nowMs))
  expect(all.data.slice(0, 3)).toEqual([
    { event_type: 'view', weight: 0.3, counter: 'view_count', events: 5 },
    { event_type: 'quick_view', weight: null, counter: null, events: 4 },
    { event_type: 'old_type', weight: null, counter: null, events: 1 },
  ])
  expect(all.meta).toEqual({ weights: 'balanced', weights_version: 1, days: null })
  // Every type with a weight or a counter is there, also without events.
  const expected = new Set([...Object.keys(PRESETS.balanced), 'search_impression', 'quick_view', 'old_type'])
  expect(new Set(all.data.map((type) => type.event_type))).toEqual(expected)

  const recent = await eventTypes(db, 30, nowMs)
  expect(recent.data.slice(0, 2).map((type) => [type.event_type, type.events])).toEqual([
    ['quick_view', 4],
    ['view', 3],
  ])
  expect(recent.meta.days).toBe(30)
})

test('types without a weight are found, in their order', async ({ db }) => {
  expect(await unweightedAmong(db, ['b_type', 'view', 'a_type', 'search_impression'])).toEqual([
    ...['b_type', 'a_type', 'search_impression'],
  ])
  expect(await unweightedAmong(db, [])).toEqual([])
})
