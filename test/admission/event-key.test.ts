import fc from 'fast-check'
import { expect, test } from 'vitest'
import { EVENT_KEY_NAMESPACE, eventIdOfKey } from '../../src/admission/event-key.ts'
import { withEventId } from '../../src/admission/event-identity.ts'
import { judgeInteractions } from '../../src/admission/interaction.ts'
import { judgeSearches } from '../../src/admission/search.ts'
import { interactionOf, SearchClick } from '../../src/contract/search.ts'
import { timeOfUuidV7 } from '../../src/contract/fields/event-id.ts'

const NOW_MS = Date.parse('2026-03-01T12:00:00Z')
const event = { session_id: 's', event_type: 'view', ref_type: 'Product', ref_id: 'p', occurred_at: '2026-03-01T11:00:00Z' }
const judge = (item: unknown) => judgeInteractions([item], NOW_MS, () => 'none was given')
const idOf = (item: unknown) => judge(item).rows[0]?.eventId

// By Python's uuid.uuid5, so that other programs can compute the same ids.
test.each([
  ['01ARZ3NDEKTSV4RRFFQ69G5FAV', '18da3d3e-4d7c-524b-8fcf-c47bc56420ee'],
  ['ajs-next-1234', '1bbe0981-2aaf-53e9-997b-89f53d78225d'],
  ['Größe 🛒', 'c26f1fae-8ae7-5824-b659-31ad6ba25870'],
  ['17', '0c793f7e-c5bd-5519-91b7-2ca126519338'],
])('the id of the key %s is its UUIDv5', (key, id) => {
  expect(EVENT_KEY_NAMESPACE).toBe('7c1e0d2b-5a4f-4b8e-9d36-2f60a1c8e973')
  expect(eventIdOfKey(key)).toBe(id)
  expect(idOf({ ...event, event_key: key })).toBe(id)
})

test('a key that is a whole number is its digits', () => {
  expect(idOf({ ...event, event_key: 17 })).toBe(eventIdOfKey('17'))
})

test('searches and clicks have keys too', () => {
  const { event_type: _type, ref_type: _ref, ref_id: _id, ...rest } = event
  const search = { ...rest, query: 'lamp', product_ids: ['p'], event_key: 'k' }
  expect(judgeSearches([search], NOW_MS, () => '').rows).toMatchObject([{ eventId: eventIdOfKey('k') }])
  const click = SearchClick.parse({ ...rest, query: 'lamp', product_id: 'p', event_key: 'k' })
  expect(idOf(interactionOf(click))).toBe(eventIdOfKey('k'))
  const both = { ...search, event_id: 'f81d4fae-7dec-11d0-a765-00a0c91e6bf6' }
  expect(judgeSearches([both], NOW_MS, () => '').rejections).toMatchObject([{ field: 'event_key' }])
  expect(SearchClick.safeParse({ ...click, event_id: both.event_id }).error?.issues[0]?.path).toEqual(['event_key'])
})

test.each([
  ['no time', { occurred_at: undefined }, 'occurred_at', 'is needed with an event_key'],
  ['an event_id', { event_id: 'f81d4fae-7dec-11d0-a765-00a0c91e6bf6' }, 'event_key', 'must not come with an event_id'],
  ['201 characters', { event_key: 'x'.repeat(201) }, 'event_key', 'must have 1 to 200 characters'],
  ['no character', { event_key: '' }, 'event_key', 'must have 1 to 200 characters'],
  ['NUL', { event_key: 'a\0' }, 'event_key', 'must not contain NUL or half a surrogate pair'],
])('a key with %s is refused', (_name, change, field, message) => {
  const item = { ...event, event_key: 'k', ...change }
  expect(judge(item).rejections).toMatchObject([{ code: 'invalid', field, message }])
  // Neither does the gateway give it an id, with which it would be another event.
  expect(withEventId(item, NOW_MS).assigned).toBeUndefined()
})

test('no key gives a UUIDv7, whose time would be that of the event', () => {
  const keys = fc.sample(fc.string({ unit: 'grapheme' }), 1_000)
  expect(keys.map((key) => timeOfUuidV7(eventIdOfKey(key))).filter((time) => time !== undefined)).toEqual([])
})

test.each([
  '00000000-0000-0000-0000-000000000000',
  'ffffffff-ffff-ffff-ffff-ffffffffffff',
  'FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF',
])('the UUID %s identifies nothing', (event_id) => {
  const message = 'must not be the nil or the max UUID, which identify nothing'
  expect(judge({ ...event, event_id }).rejections).toMatchObject([{ code: 'invalid', field: 'event_id', message }])
})

test.each(['01ARZ3NDEKTSV4RRFFQ69G5FAV', 'ajs-next-1234', '', 7, 'f81d4fae7dec11d0a76500a0c91e6bf6'])(
  'the event_id %j is refused, and its message names event_key',
  (event_id) => {
    const message = 'must be a UUID; another id can be the event_key'
    expect(judge({ ...event, event_id }).rejections).toMatchObject([{ code: 'invalid', field: 'event_id', message }])
  },
)

test.each([' ', '\t\n', 'null', 'undefined', 'None', ' NULL ', 'NaN', '[object Object]', '00000000-0000-0000-0000-000000000000'])(
  'the key %j identifies nothing',
  (event_key) => {
    const message = 'must identify the event: it is blank, or means that there is no id'
    expect(judge({ ...event, event_key }).rejections).toMatchObject([{ code: 'invalid', field: 'event_key', message }])
  },
)
