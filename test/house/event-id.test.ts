import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { timeOfUuidV7, uuidV7 } from '../../src/contract/fields/event-id.ts'
import { writeItems } from '../../src/admission/write-items.ts'
import { callOf, eventIdFor } from '../../src/store/log/call.ts'

test('a UUIDv7 has its version digits, and gives its time back', () => {
  fc.assert(
    fc.property(fc.nat({ max: 2 ** 48 - 1 }), fc.uint8Array({ minLength: 10, maxLength: 32 }), (milliseconds, bytes) => {
      const uuid = uuidV7(milliseconds, bytes)
      expect(uuid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
      expect(timeOfUuidV7(uuid)).toBe(milliseconds)
    }),
  )
})

test('two ids of one millisecond differ', () => {
  const ids = new Set(Array.from({ length: 1_000 }, () => uuidV7(0, randomBytes(10))))
  expect(ids.size).toBe(1_000)
})

test('the example of RFC 9562 is read', () => {
  expect(timeOfUuidV7('017F22E2-79B0-7CC3-98C4-DC0C0C07398F')).toBe(Date.parse('2022-02-22T19:22:22Z'))
  expect(timeOfUuidV7('919108f7-52d1-4320-9bac-f847db4148a8')).toBeUndefined()
})

test('an id depends on the call, its body and the index alone', () => {
  const id = (invocation: string, body: string, index: number) => eventIdFor(callOf(invocation, Buffer.from(body)), index, 5)
  expect(id('a', 'x', 0)).toBe(id('a', 'x', 0))
  expect(new Set([id('a', 'x', 0), id('b', 'x', 0), id('a', 'y', 0), id('a', 'x', 1)]).size).toBe(4)
})

test("the gateway gives ids with the event's time to events without one", () => {
  const own = { event_id: 'mine' }
  const { texts, assigned } = writeItems(
    [own, {}, { occurred_at: '2026-01-02T03:04:05.6789Z' }, { occurred_at: 'never' }, null, 'x'],
    { privacy: undefined, idsAtMs: 1_000 },
  )
  expect(assigned).toEqual([
    { index: 1, event_id: expect.any(String), occurred_at: '1970-01-01T00:00:01.000Z' },
    { index: 2, event_id: expect.any(String), occurred_at: '2026-01-02T03:04:05.678Z' },
  ])
  expect(texts.map((text) => JSON.parse(text) as unknown)).toEqual([
    own,
    { event_id: assigned[0]!.event_id },
    { occurred_at: '2026-01-02T03:04:05.6789Z', event_id: assigned[1]!.event_id },
    { occurred_at: 'never' },
    null,
    'x',
  ])
})
