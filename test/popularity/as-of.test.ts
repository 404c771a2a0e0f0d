import { expect, test } from 'vitest'
import { DAY_MS, HOUR_MS } from '../../src/contract/fields/time.ts'
import { PopularRequest } from '../../src/contract/popular-list.ts'
import { asOfOf } from '../../src/store/popularity/popular-page.ts'

const NOW_MS = Date.parse('2026-03-01T12:34:56Z')
const at = (as_of: string, pinnedMs = NOW_MS) => asOfOf(PopularRequest.parse({ as_of }), NOW_MS, pinnedMs)

test('a day is its end in UTC', () => {
  expect(at('2026-02-27')).toBe(Date.parse('2026-02-28T00:00:00Z'))
  expect(at('2026-02-28')).toBe(Date.parse('2026-03-01T00:00:00Z'))
  expect(at('2000-01-01')).toBe(Date.parse('2000-01-02T00:00:00Z'))
})

test('today is now, and on later pages the instant of the first one', () => {
  expect(at('2026-03-01')).toBe(NOW_MS)
  expect(at('2026-03-01', NOW_MS - HOUR_MS)).toBe(NOW_MS - HOUR_MS)
  // A list that began yesterday does not grow when the day is over.
  expect(at('2026-02-28', NOW_MS - DAY_MS)).toBe(NOW_MS - DAY_MS)
})

test('an instant is itself', () => {
  expect(at('2026-02-27T12:00:00+02:00')).toBe(Date.parse('2026-02-27T10:00:00Z'))
})

test.each(['2026-03-02', '1999-12-31', '2026-03-01T12:34:57Z', '1999-12-31T23:59:59Z'])(
  '%s is not between 2000 and now',
  (as_of) => {
    expect(() => at(as_of)).toThrow('between 2000-01-01T00:00:00Z and now')
  },
)

test.each(['2026-02-30', '2026-3-1', '20260301', 'yesterday', '2026-03', '2026-03-01T12:00', '', 5])(
  '%j is neither a day nor an instant',
  (as_of) => {
    expect(PopularRequest.safeParse({ as_of }).error?.issues[0]?.message).toContain(
      'must be a day such as 2026-03-01, or an RFC 3339',
    )
  },
)
