import { expect, test } from 'vitest'
import { retryAfterOf } from '../../src/external/retry-after.ts'

const NOW_MS = Date.parse('2026-03-01T12:00:00Z')

test.for([
  ['7', 7],
  [' 7 ', 7],
  ['86400', 3_600],
  ['999999999', 3_600],
  ['Sun, 01 Mar 2026 12:01:30 GMT', 90],
  ['Mon, 02 Mar 2026 12:00:00 GMT', 3_600],
  ['Sun, 01 Mar 2026 11:00:00 GMT', undefined],
  ['0', undefined],
  ['-5', undefined],
  ['1.5', undefined],
  ['1e3', undefined],
  ['9999999999', undefined],
  ['2026-03-01T12:01:30Z', undefined],
  ['soon GMT', undefined],
  ['', undefined],
  [undefined, undefined],
] as const)('Retry-After %j at noon is %j s', ([text, seconds]) => {
  for (const statusCode of [429, 503]) {
    expect(retryAfterOf({ statusCode, headers: { 'retry-after': text } }, NOW_MS)).toBe(seconds)
  }
})

test.for([200, 202, 301, 400, 404, 500, 502])('with the status %i it means nothing', (statusCode) => {
  expect(retryAfterOf({ statusCode, headers: { 'retry-after': '7' } }, NOW_MS)).toBeUndefined()
})
