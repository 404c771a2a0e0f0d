import { expect, test } from 'vitest'
import { judgeInteractions } from '../../src/admission/interaction.ts'

const NOW_MS = Date.parse('2026-03-01T12:00:00Z')
const event = { session_id: 's', ref_type: 'Product', ref_id: 'p', event_type: 'rating_high' }
const judge = (item: object) => judgeInteractions([item], NOW_MS, () => 'id')
const metadataOf = (rating: unknown, more = {}) => judge({ ...event, metadata: { rating, note: 'n' }, ...more }).rows[0]?.metadata

test.each([
  [1, 1],
  [5, 5],
  [4.5, 4.5],
  ['1', 1],
  ['5.0', 5],
  ['4.5', 4.5],
  ['4,5', 4.5],
  [' 3 ', 3],
  ['04', 4],
])('the stars %j are %d', (rating, stars) => {
  for (const event_type of ['rating_low', 'rating_medium', 'rating_high']) {
    expect(metadataOf(rating, { event_type })).toEqual({ rating: stars, note: 'n' })
  }
})

test.each([0, 0.99, 5.01, 6, -1, 10, '0', '6', '', ' ', 'five', '4/5', '4 of 5', '1e0', '0x4', '٤', true, [4], { stars: 4 }])(
  'the stars %j are refused',
  (rating) => {
    const message = 'must be a number from 1 to 5'
    expect(judge({ ...event, metadata: { rating } }).rejections).toMatchObject([
      { code: 'invalid', field: 'metadata.rating', message },
    ])
  },
)

test('a rating without stars, or with null, is recorded', () => {
  expect(judge(event).rejections).toEqual([])
  expect(metadataOf(null)).toEqual({ rating: null, note: 'n' })
})

test('metadata.rating of other events is not read', () => {
  expect(metadataOf('9', { event_type: 'view' })).toEqual({ rating: '9', note: 'n' })
})
