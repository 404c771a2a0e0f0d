import { expect, test } from 'vitest'
import { judgeInteractions } from '../../src/admission/interaction.ts'
import { judgeProducts } from '../../src/admission/product.ts'
import { DAY_MS, HOUR_MS, spanInWords } from '../../src/contract/fields/time.ts'

const NOW_MS = Date.parse('2026-03-01T12:00:00Z')
const event = { session_id: 's', event_type: 'view', ref_type: 'Product', ref_id: 'p' }
const at = (ms: number) => new Date(NOW_MS + ms).toISOString()
const judge = (item: object) => judgeInteractions([item], NOW_MS, () => 'id')

test.each([
  [0, '0 s'],
  [999, '0 s'],
  [59_999, '59 s'],
  [300_500, '5 min'],
  [301_000, '5 min 1 s'],
  [HOUR_MS, '1 h'],
  [3 * HOUR_MS + 20 * 60_000 + 59_000, '3 h 20 min'],
  [DAY_MS + HOUR_MS, '1 day 1 h'],
  [400 * DAY_MS + 59_000, '400 days'],
])('%d ms are %s', (ms, words) => {
  expect(spanInWords(ms)).toBe(words)
})

test('an event in the future is refused with the difference', () => {
  const message = 'is 1 h in the future, more than 5 minutes'
  expect(judge({ ...event, occurred_at: at(HOUR_MS) }).rejections).toMatchObject([{ code: 'in_future', message }])
  expect(judge({ ...event, occurred_at: at(300_000) }).rejections).toEqual([])
})

test.each([
  ['as far ahead', 3 * HOUR_MS, ': the clock of the sender is 3 h ahead'],
  ['ahead by another span', 2 * HOUR_MS, ': the clock of the sender is 2 h ahead'],
  ['right, so that the time itself is wrong', 0, ''],
  ['behind', -HOUR_MS, ''],
])('with sent_at the message says whether the clock is %s', (_name, clockMs, clock) => {
  const item = { ...event, occurred_at: at(3 * HOUR_MS), sent_at: at(clockMs) }
  expect(judge(item).rejections).toMatchObject([{ message: `is 3 h in the future, more than 5 minutes${clock}` }])
})

test('sent_at changes neither the time nor the id of an event', () => {
  const sent = { ...event, event_id: 'f81d4fae-7dec-11d0-a765-00a0c91e6bf6', occurred_at: at(-DAY_MS) }
  const identities = [undefined, at(0), at(-40 * DAY_MS), at(DAY_MS)].map((sent_at) => {
    const [row] = judge({ ...sent, sent_at }).rows
    return [row!.eventId, row!.occurredAtMs]
  })
  expect(new Set(identities.map(String)).size).toBe(1)
  expect(judge({ ...sent, sent_at: at(5) }).rows[0]!.sentAtMs).toBe(NOW_MS + 5)
})

test('a product of the future is refused with the difference', () => {
  const product = { product_id: 'p', name: 'P', status: 'active', updated_at: at(2 * HOUR_MS) }
  expect(judgeProducts([product], NOW_MS).rejections).toMatchObject([{ message: 'is 2 h in the future, more than 5 minutes' }])
})
