import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { judgeInteractions } from '../../src/admission/interaction.ts'
import { correctedItem } from '../../src/admission/correction.ts'
import { timeOfUuidV7, uuidV7 } from '../../src/contract/fields/event-id.ts'
import { rejectedIdOf, rejectedKeyOf, type Correction } from '../../src/contract/rejected.ts'
import { callOf, eventIdFor } from '../../src/store/log/call.ts'

const RECEIVED_MS = Date.parse('2026-03-01T12:00:00Z')
const call = callOf('inv', Buffer.from('body'))
const newEventId = (timeMs: number) => eventIdFor(call, 3, timeMs)
const replayed = (item: unknown, repair?: Correction) => correctedItem(item, repair, RECEIVED_MS, newEventId)
const event = { session_id: 's', event_type: 'view', ref_type: 'Product', ref_id: 'p' }
const ids = (item: unknown, nowMs = RECEIVED_MS) =>
  judgeInteractions([item], nowMs, () => 'none was given').rows.map(({ eventId, occurredAtMs }) => [eventId, occurredAtMs])

test('an item without an id gets the id of its first call, with its time or that of arrival', () => {
  const then = RECEIVED_MS - 5_000
  expect(ids(replayed(event))).toEqual([[eventIdFor(call, 3, RECEIVED_MS), RECEIVED_MS]])
  const timed = { ...event, occurred_at: new Date(then).toISOString() }
  expect(ids(replayed(timed))).toEqual([[eventIdFor(call, 3, then), then]])
})

test('an item keeps its identity in every replay', () => {
  const Item = fc.record({ event_id: fc.uuid(), occurred_at: fc.string(), ref_id: fc.anything() }, { requiredKeys: [] })
  fc.assert(
    fc.property(fc.oneof(Item, fc.jsonValue()), (item) => {
      const once = replayed(item)
      expect(replayed(once)).toEqual(once)
      expect(replayed(item)).toEqual(once)
    }),
  )
})

test('an item that is not an object, or has an invalid time, stays as it is and is rejected again', () => {
  for (const item of [7, 'text', null, true, [], [event]]) {
    expect(replayed(item)).toEqual(item)
    expect(ids(replayed(item))).toEqual([])
  }
  expect(replayed({ ...event, occurred_at: 'yesterday' })).toEqual({ ...event, occurred_at: 'yesterday' })
})

test('a correction replaces fields, and removes fields that it sets to null', () => {
  const item = { ...event, ref_id: 5, nonsense: 1, event_id: randomUUID(), occurred_at: '2026-02-01T00:00:00Z' }
  expect(replayed(item, { ref_id: 'lamp', nonsense: null })).toEqual({
    ...event,
    ref_id: 'lamp',
    event_id: item.event_id,
    occurred_at: item.occurred_at,
  })
})

test('a correction replaces an item that is not an object', () => {
  expect(replayed(7, event)).toEqual({ ...event, event_id: eventIdFor(call, 3, RECEIVED_MS) })
})

test('a corrected time replaces only the time in a UUIDv7, so that copies stay one event', () => {
  const event_id = uuidV7(Date.parse('2099-01-01T00:00:00Z'), Buffer.from('0123456789'))
  const future = { ...event, event_id, occurred_at: '2099-01-01T00:00:00Z' }
  const fixed = replayed(future, { occurred_at: '2026-03-01T11:00:00Z' }) as { event_id: string }
  expect(timeOfUuidV7(fixed.event_id)).toBe(Date.parse('2026-03-01T11:00:00Z'))
  expect(fixed.event_id.slice(13)).toBe(event_id.slice(13))
  expect(ids(fixed)).toEqual([[fixed.event_id, Date.parse('2026-03-01T11:00:00Z')]])
  // Other ids do not change, and an id in the correction wins.
  const other = randomUUID()
  expect(replayed({ ...future, event_id: other }, { occurred_at: '2026-03-01T11:00:00Z' })).toMatchObject({ event_id: other })
  expect(replayed(future, { occurred_at: '2026-03-01T11:00:00Z', event_id: other })).toMatchObject({ event_id: other })
  // An event from the future is accepted unchanged once its time has come.
  expect(ids(replayed(future), Date.parse('2099-01-01T00:00:00Z'))).toEqual([[event_id, Date.parse('2099-01-01T00:00:00Z')]])
})

test.each(['', '12', '12.', '.0', '12.x', '12.0.0', '-1.0', '12.0 ', '1'.repeat(19) + '.0', '1.' + '1'.repeat(10), '1e3.0'])(
  '%j is not the id of a rejected event',
  (text) => {
    expect(rejectedKeyOf(text)).toBeUndefined()
  },
)

test('an id names its batch and index', () => {
  expect(rejectedKeyOf('12.34')).toEqual({ batch_id: '12', index: 34 })
  expect(rejectedIdOf({ batch_id: '12', index: 34 })).toBe('12.34')
})
