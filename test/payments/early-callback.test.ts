import { expect, test } from 'vitest'
import { refuseEarlyCallbacks, refuseFutureCallbacks } from '../../src/gateway/recording/early-callback.ts'

const NOW_MS = Date.parse('2026-03-01T12:00:00Z')
const at = (occurred_at: unknown) => ({ occurred_at })

test('a webhook with a callback from the future is unavailable, with how far its clock is ahead', () => {
  const check = (...callbacks: object[]) => refuseFutureCallbacks(callbacks, NOW_MS)
  expect(() => check(at('2026-03-01T12:05:00Z'), at('2026-03-01T13:00:00Z'))).toThrow(
    expect.objectContaining({ code: 'unavailable', message: expect.stringMatching(/^occurred_at is 1 h in the future/) }),
  )
  expect(() => check(at('2026-03-01T12:05:00.001Z'))).toThrow('occurred_at is 5 min in the future, more than 5 minutes; send')
})

test.for<[string, unknown]>([
  ['of now', '2026-03-01T12:00:00Z'],
  ['five minutes ahead', '2026-03-01T12:05:00Z'],
  ['of long ago', '1999-01-01T00:00:00Z'],
  ['that is no time', 'tomorrow'],
  ['that is no text', 4],
])('a callback with a time %s is left to the handler', ([_what, occurredAt]) => {
  expect(() => refuseFutureCallbacks([at(occurredAt)], NOW_MS)).not.toThrow()
})

test('only rejections that time removes are unavailable', () => {
  const answer = (code: string, field: string | null) => ({
    ...{ accepted: 1, duplicates: 0, duplicate_indexes: [] },
    rejected: [{ index: 0, code, field, message: 'is so' }],
  })
  for (const code of ['invalid', 'too_old', 'refused']) expect(() => refuseEarlyCallbacks(answer(code, 'items'))).not.toThrow()
  expect(() => refuseEarlyCallbacks(answer('in_future', 'occurred_at'))).toThrow('occurred_at is so; send')
  expect(() => refuseEarlyCallbacks(answer('not_yet', null))).toThrow(/^is so; send/)
})
