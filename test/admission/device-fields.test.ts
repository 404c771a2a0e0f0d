import { describe, expect, test } from 'vitest'
import { judgeInSlices } from '../../src/admission/judge-in-slices.ts'
import { judgeInteractions } from '../../src/admission/interaction.ts'
import { withPrivacy } from '../../src/admission/privacy.ts'
import { judgeSearches } from '../../src/admission/search.ts'
import { splitItems, wholeAnswer } from '../../src/admission/split-items.ts'
import { answerOf, answersOf } from '../../src/gateway/recording/senders.ts'
import { recordedAnswer } from '../../services/recording/answer.ts'

const NOW_MS = Date.parse('2026-03-01T12:00:00Z')
const event = { session_id: 's', event_type: 'view', ref_type: 'Product', ref_id: 'p', occurred_at: '2026-03-01T11:00:00Z' }
const judge = (...items: unknown[]) => judgeInteractions(items, NOW_MS, (index) => `id ${index}`)

const nested = (levels: number): unknown => (levels === 0 ? 1 : [nested(levels - 1)])
const NO_ADDRESS = 'must be an IPv4 or IPv6 address'

describe('an event is recorded without', () => {
  test.each([
    ['an address with a port', 'ip_address', '203.0.113.77:443', NO_ADDRESS],
    ['two addresses', 'ip_address', '203.0.113.77, 10.0.0.1', NO_ADDRESS],
    ['an empty address', 'ip_address', '', NO_ADDRESS],
    ['an address that is no text', 'ip_address', 7, NO_ADDRESS],
    ['a user agent of 1,001 characters', 'user_agent', 'x'.repeat(1_001), 'must have 1 to 1000 characters'],
    ['an empty user agent', 'user_agent', '', 'must have 1 to 1000 characters'],
    ['a user agent with NUL', 'user_agent', 'a\0', 'must not contain NUL or half a surrogate pair'],
    [
      'a user agent that is nested too deeply',
      'user_agent',
      nested(100),
      expect.stringMatching(/^is nested deeper than 64 levels/),
    ],
    ['a sent_at that is no time', 'sent_at', 'now', expect.stringContaining('must be an RFC 3339 time')],
    ['a sent_at of 1970', 'sent_at', '1970-01-01T00:00:00Z', 'must be in the years 2000 to 2199'],
    ['a sent_at of the year 0', 'sent_at', '0000-01-01T00:00:00+14:00', 'must be in the years 2000 to 2199'],
    ['a sent_at of the year 9999', 'sent_at', '9999-12-31T23:59:59-14:00', 'must be in the years 2000 to 2199'],
  ])('%s, and a warning says so', (_name, field, value, message) => {
    const { rows, rejections, warnings } = judge(event, { ...event, [field]: value })
    expect(rejections).toEqual([])
    expect(warnings).toEqual([{ index: 1, field, message }])
    const { index: _index, item: _item, eventId: _id, ...columns } = rows[1]!
    const { index: _first, item: _sent, eventId: _other, ...expected } = rows[0]!
    expect(columns).toEqual(expected)
  })

  test('all of them at the same time', () => {
    const { rows, warnings } = judge({ ...event, ip_address: 'x', user_agent: '', sent_at: 5 })
    expect(rows).toMatchObject([{ ipAddress: null, userAgent: null, sentAtMs: undefined }])
    expect(warnings.map(({ field }) => field).toSorted()).toEqual(['ip_address', 'sent_at', 'user_agent'])
  })

  test('an address that privacy withholds', () => {
    const kept = withPrivacy({ ...event, ip_address: '203.0.113.77:443' }, { ipAddress: 'truncate', userAgent: 'keep' })
    const { rows, warnings } = judge(kept)
    expect(rows).toMatchObject([{ ipAddress: null }])
    expect(JSON.stringify(warnings)).not.toContain('203.0.113')
  })
})

test('an event with another wrong field is rejected for that one, without a warning', () => {
  const { rejections, warnings } = judge({ ...event, ip_address: 'x', ref_id: '' })
  expect(rejections).toMatchObject([{ field: 'ref_id' }])
  expect(warnings).toEqual([])
  // Also when the other field is wrong by a rule about several fields.
  expect(judge({ ...event, ip_address: 'x', session_id: undefined }).rejections).toMatchObject([{ field: 'account_id' }])
})

test('a search has warnings too, and no device fields', () => {
  const search = { query: 'lamp', product_ids: [], occurred_at: event.occurred_at }
  expect(judgeSearches([{ ...search, sent_at: 'x' }], NOW_MS, () => '').warnings).toMatchObject([{ index: 0, field: 'sent_at' }])
  expect(judgeSearches([{ ...search, ip_address: 'x' }], NOW_MS, () => '').rejections).toMatchObject([{ field: 'ip_address' }])
})

test('warnings have the positions of the whole call', async () => {
  const items = Array.from({ length: 700 }, (_, n) => (n % 300 === 299 ? { ...event, ip_address: 'x' } : event))
  const { warnings } = await judgeInSlices(items, (slice) => judge(...slice))
  expect(warnings.map(({ index }) => index)).toEqual([299, 599])
})

const NONE = { accepted: 0, duplicates: 0, duplicate_indexes: [], rejected: [] }
const warningAt = (index: number) => ({ index, field: 'ip_address', message: NO_ADDRESS })

test('each request of a group gets its own warnings, and an answer without any has no such field', () => {
  const answer = { ...NONE, accepted: 6, warnings: [warningAt(1), warningAt(4), warningAt(5)] }
  const groups = [{ count: 2 }, { count: 2 }, { count: 2 }]
  const parts = answersOf(groups, answer)
  expect(parts).toEqual([
    { ...NONE, accepted: 2, warnings: [warningAt(1)] },
    { ...NONE, accepted: 2 },
    { ...NONE, accepted: 2, warnings: [warningAt(0), warningAt(1)] },
  ])
  expect(answerOf(groups, parts)).toEqual(answer)
})

test('warnings count from the first item of the request, also behind items that the gateway rejects', () => {
  const split = splitItems(['bad', 'good', 'bad', 'good'], (item) =>
    item === 'bad' ? { code: 'too_old', field: null, message: '' } : undefined,
  )
  expect(wholeAnswer(split, { ...NONE, accepted: 2, warnings: [warningAt(1)] }).warnings).toEqual([warningAt(3)])
})

test('an item that the database rejects has no warning', () => {
  const rejected = [{ index: 0, code: 'refused', field: null, message: '' }]
  const outcome = { accepted: 1, duplicateIndexes: [], rejected, warnings: [warningAt(0), warningAt(1)] }
  expect(recordedAnswer(outcome).warnings).toEqual([warningAt(1)])
  expect(recordedAnswer({ ...outcome, warnings: [warningAt(0)] })).not.toHaveProperty('warnings')
})
