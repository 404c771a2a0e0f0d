import { expect, test } from 'vitest'
import { eventIdOfKey } from '../../src/admission/event-key.ts'
import { judgeInteractions } from '../../src/admission/interaction.ts'
import { judgeTrackedEvent } from '../../src/admission/tracked-event.ts'
import { timeOfUuidV7 } from '../../src/contract/fields/event-id.ts'
import { instantOf } from '../../src/contract/fields/time.ts'

const NOW_MS = Date.UTC(2026, 2, 1, 12)
const KEEP = { ipAddress: 'keep', userAgent: 'keep' } as const
const judge = (item: unknown, more: { daysMax?: number } = {}) =>
  judgeTrackedEvent(item, { privacy: KEEP, nowMs: NOW_MS, daysMax: more.daysMax })
const EVENT = { session_id: 's', event_type: 'view', ref_type: 'Product', ref_id: 'lamp' }
const ID = '0d1d5a8e-1f0a-4c8e-9a53-6a2f5f9d2b11'
const AT = instantOf(NOW_MS - 60_000)

test('both shapes become the same interaction', () => {
  const identity = { event_id: ID.toUpperCase(), occurred_at: AT }
  const own = judge({
    ...identity,
    account_id: 'ada',
    event_type: 'view',
    ref_type: 'Product',
    ref_id: 'lamp',
    metadata: { shelf: 1 },
  })
  const frontends = judge({ ...identity, user_id: 'ada', asin: 'lamp', event_type: 'view', metadata: { shelf: 1 } })
  expect(frontends.interaction).toEqual(own.interaction)
  expect(own.interaction).toMatchObject({ event_id: ID, occurred_at: AT, account_id: 'ada', ref_id: 'lamp' })
  // Ids that are numbers are their digits, also when they are compared.
  expect(judge({ account_id: 42, user_id: '42', asin: 7, event_type: 'view' }).interaction).toMatchObject({
    account_id: '42',
    ref_id: '7',
  })
  expect(judge({ ...EVENT, account_id: null, asin: null, ref_type: null }).interaction).toMatchObject({
    session_id: 's',
    ref_type: 'Product',
  })
})

test.each([
  [{ rating: 1 }, 'rating_low'],
  [{ rating: 2 }, 'rating_low'],
  [{ rating: 2.4 }, 'rating_low'],
  [{ rating: 3 }, 'rating_medium'],
  [{ rating: '3,5' }, 'rating_high'],
  [{ rating: 4 }, 'rating_high'],
  [{ rating: 5, text: 'nice' }, 'rating_high'],
])('rate with %j becomes %s, and its stars stay as a number', (metadata, type) => {
  const { interaction } = judge({ ...EVENT, event_type: 'rate', metadata })
  expect(interaction.event_type).toBe(type)
  expect(interaction.metadata!['rating']).toBeTypeOf('number')
})

test.each(['search', 'category', 'recommendation'])('click with the source %s becomes click_from_ and it', (source) => {
  expect(judge({ ...EVENT, event_type: 'click', metadata: { source } }).interaction.event_type).toBe(`click_from_${source}`)
})

test('an event gets an id with its time, or that of its key', () => {
  const fresh = judge(EVENT).interaction
  expect(timeOfUuidV7(fresh.event_id!)).toBe(NOW_MS)
  expect(fresh.occurred_at).toBe(instantOf(NOW_MS))
  expect(timeOfUuidV7(judge({ ...EVENT, occurred_at: AT }).interaction.event_id!)).toBe(Date.parse(AT))
  expect(judge({ ...EVENT, event_key: 'order-1', occurred_at: AT }).interaction.event_id).toBe(eventIdOfKey('order-1'))
})

test('the endpoint judges what is recorded as the gateway did', () => {
  const sent = {
    ...EVENT,
    event_key: 'k',
    occurred_at: '2026-03-01T11:59:00.123456789+00:00',
    sent_at: '2026-03-01T11:59:01Z',
    account_number: 12,
    ip_address: '192.0.2.1',
    user_agent: 'x',
  }
  const { row, interaction } = judge(sent)
  const { rows, rejections } = judgeInteractions([JSON.parse(JSON.stringify(interaction))], NOW_MS, () => '')
  expect(rejections).toEqual([])
  expect({ ...rows[0], item: undefined }).toEqual({ ...row, item: undefined })
})

test('wrong fields of the device are left out and named, and privacy is applied before', () => {
  const { interaction, warnings } = judge({ ...EVENT, user_agent: 7, ip_address: 'here', sent_at: 'yesterday' })
  expect(warnings.map(({ field }) => field).toSorted()).toEqual(['ip_address', 'sent_at', 'user_agent'])
  expect(interaction).not.toHaveProperty('ip_address', expect.anything())
  const dropped = judgeTrackedEvent(
    { ...EVENT, ip_address: '192.0.2.7', user_agent: 'x' },
    { privacy: { ipAddress: 'truncate', userAgent: 'drop' }, nowMs: NOW_MS, daysMax: undefined },
  )
  expect(dropped.interaction.ip_address).toBe('192.0.2.0')
  expect(dropped.interaction.user_agent).toBeUndefined()
})

/** Each with the field that the refusal names. */
const WRONG: [string, unknown, string | null][] = [
  ['nothing', undefined, null],
  ['a list', [EVENT], null],
  ['a text', 'view', null],
  ['a list of interactions', { interactions: [EVENT] }, 'event_type'],
  ['an unknown field', { ...EVENT, colour: 'red' }, 'colour'],
  ['neither account nor session', { event_type: 'view', ref_type: 'Product', ref_id: 'lamp' }, 'account_id'],
  ['two people', { ...EVENT, account_id: 'ada', user_id: 'bob' }, 'user_id'],
  ['both shapes', { ...EVENT, asin: 'lamp' }, 'asin'],
  ['an asin with a ref_type', { user_id: 'ada', asin: 'lamp', ref_type: 'Product', event_type: 'view' }, 'asin'],
  ['no product', { user_id: 'ada', event_type: 'view' }, 'ref_id'],
  ['no type', { user_id: 'ada', asin: 'lamp' }, 'event_type'],
  ['a type with a blank', { ...EVENT, event_type: 'a view' }, 'event_type'],
  ['a product that no address can name', { ...EVENT, ref_id: '..' }, 'ref_id'],
  ['the same as an asin', { user_id: 'ada', asin: 'top', event_type: 'view' }, 'asin'],
  ['an empty id', { ...EVENT, session_id: '' }, 'session_id'],
  ['NUL in an id', { ...EVENT, session_id: 'a\0' }, 'session_id'],
  ['201 characters', { ...EVENT, session_id: 'x'.repeat(201) }, 'session_id'],
  ['a rating of 0', { ...EVENT, event_type: 'rate', metadata: { rating: 0 } }, 'metadata.rating'],
  ['a rating of 6', { ...EVENT, event_type: 'rate', metadata: { rating: 6 } }, 'metadata.rating'],
  ['a rating that is no number', { ...EVENT, event_type: 'rate', metadata: { rating: 'good' } }, 'metadata.rating'],
  ['a rating without stars', { ...EVENT, event_type: 'rate' }, 'metadata.rating'],
  ['stars of a rating_low that are none', { ...EVENT, event_type: 'rating_low', metadata: { rating: 9 } }, 'metadata.rating'],
  ['a click without a source', { ...EVENT, event_type: 'click' }, 'metadata.source'],
  ['a click from elsewhere', { ...EVENT, event_type: 'click', metadata: { source: 'mail' } }, 'metadata.source'],
  ['metadata that is too large', { ...EVENT, metadata: { text: 'x'.repeat(4_096) } }, 'metadata'],
  ['an id and a key', { ...EVENT, event_id: ID, event_key: 'k', occurred_at: AT }, 'event_key'],
  ['an id without a time', { ...EVENT, event_id: ID }, 'occurred_at'],
  ['a key without a time', { ...EVENT, event_key: 'k' }, 'occurred_at'],
  ['the nil id', { ...EVENT, event_id: '00000000-0000-0000-0000-000000000000', occurred_at: AT }, 'event_id'],
  ['the future', { ...EVENT, occurred_at: instantOf(NOW_MS + 5 * 60_000 + 1) }, 'occurred_at'],
  ['the past', { ...EVENT, occurred_at: '1999-12-31T23:59:59Z' }, 'occurred_at'],
]

test.each(WRONG)('%s is refused with the field', (_name, item, field) => {
  expect(() => judge(item)).toThrow(
    expect.objectContaining({
      code: 'invalid_request',
      ...(field === null ? { details: [expect.objectContaining({ field: null })] } : { field }),
    }),
  )
})

test('a publishable key sends no old events', () => {
  const old = { ...EVENT, event_id: ID, occurred_at: instantOf(NOW_MS - 31 * 86_400_000) }
  expect(() => judge(old, { daysMax: 30 })).toThrow(expect.objectContaining({ field: 'occurred_at' }))
  expect(judge(old).interaction.event_id).toBe(ID)
})

test.each([
  [
    { event_type: 'click', metadata: { source: 'search', query: 'Desk  Lamp1' } },
    { source: 'search', query: 'desk lamp1' },
  ],
  [{ event_type: 'click_from_search', metadata: { query: ' ＬＡＭＰ\t' } }, { query: 'lamp' }],
  [
    { event_type: 'click', metadata: { source: 'search', query: 7 } },
    { source: 'search', query: 7 },
  ],
  [{ event_type: 'click', metadata: { source: 'search' } }, { source: 'search' }],
  [{ event_type: 'click_from_search' }, undefined],
  [
    { event_type: 'click', metadata: { source: 'category', query: 'Desk  Lamp1' } },
    { source: 'category', query: 'Desk  Lamp1' },
  ],
])('the query of a click on a result is normalised: %j', (event, metadata) => {
  const { interaction, row } = judge({ ...EVENT, ...event })
  expect(interaction.metadata).toEqual(metadata)
  expect(row.metadata).toEqual(metadata)
})
