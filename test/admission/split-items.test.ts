import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ageProblem } from '../../src/admission/time-problem.ts'
import type { CreateInteractionResponse } from '../../src/contract/interaction.ts'
import { uuidV7 } from '../../src/contract/fields/event-id.ts'
import { DAY_MS, instantOf } from '../../src/contract/fields/time.ts'
import { splitItems, wholeAnswer } from '../../src/admission/split-items.ts'

const WORDS = { accepted: undefined, duplicate: undefined, invalid: 'invalid', too_old: 'too_old' } as const
type Outcome = keyof typeof WORDS

/** The answer about items whose outcomes are known. */
function answerTo(outcomes: readonly Outcome[]): CreateInteractionResponse {
  const duplicates = outcomes.flatMap((outcome, index) => (outcome === 'duplicate' ? [index] : []))
  return {
    accepted: outcomes.filter((outcome) => outcome === 'accepted').length,
    duplicates: duplicates.length,
    duplicate_indexes: duplicates,
    rejected: outcomes.flatMap((outcome, index) => {
      const code = WORDS[outcome]
      return code === undefined ? [] : [{ index, code, field: null, message: outcome }]
    }),
  }
}

test('the answer to a divided request is that of the whole request, in the order of its items', () => {
  const outcomes = fc.array(fc.constantFrom(...(Object.keys(WORDS) as Outcome[])), { minLength: 1, maxLength: 12 })
  fc.assert(
    fc.property(outcomes, (items) => {
      const split = splitItems(items, (item) =>
        item === 'too_old' ? { code: 'too_old', field: null, message: 'too_old' } : undefined,
      )
      expect(split.recorded).toEqual(items.filter((item) => item !== 'too_old'))
      expect(wholeAnswer(split, answerTo(split.recorded as Outcome[]))).toEqual(answerTo(items))
    }),
  )
})

const NOW_MS = Date.UTC(2026, 2, 31)
const agoMs = (days: number) => NOW_MS - days * DAY_MS
const idOf = (days: number) => uuidV7(agoMs(days), new Uint8Array(10))

test.for<[item: unknown, isTooOld: boolean]>([
  [{ occurred_at: instantOf(agoMs(30)) }, false],
  [{ occurred_at: instantOf(agoMs(30) - 1) }, true],
  [{ occurred_at: '1999-01-01t00:00:00+01:00' }, true],
  [{ occurred_at: instantOf(agoMs(-400)) }, false],
  [{ event_id: idOf(31) }, true],
  [{ event_id: idOf(31).toUpperCase(), occurred_at: instantOf(agoMs(0)) }, true],
  [{ event_id: idOf(29) }, false],
  [{ event_id: '0d1d5a8e-1f0a-4c8e-9a53-6a2f5f9d2b11', occurred_at: instantOf(agoMs(31)) }, true],
  [{}, false],
  [{ occurred_at: 'yesterday' }, false],
  [{ occurred_at: 1 }, false],
  [{ event_id: '' }, false],
  [null, false],
  [[], false],
  ['2001-01-01T00:00:00Z', false],
])('%j is too old for the last 30 days: %s', ([item, isTooOld]) => {
  expect(ageProblem(item, 30, NOW_MS)?.code).toBe(isTooOld ? 'too_old' : undefined)
})
