import fc from 'fast-check'
import { expect, test } from 'vitest'
import { splitItems, wholeAnswer } from '../../src/admission/split-items.ts'
import { recordedAnswer } from '../../services/recording/answer.ts'
import { answerOf, answersOf } from '../../src/gateway/recording/senders.ts'

const NONE = { accepted: 0, duplicates: 0, duplicate_indexes: [], rejected: [] }
const typeAt = (event_type: string, ...indexes: number[]) => ({ event_type, indexes })

/** The answer about items of these types, of which those beginning with u have no weight. */
function answerAbout(types: readonly string[]) {
  const unweighted = [...new Set(types.filter((type) => type.startsWith('u')))].map((type) =>
    typeAt(type, ...types.flatMap((other, index) => (other === type ? [index] : []))),
  )
  return { ...NONE, accepted: types.length, ...(unweighted.length > 0 && { unweighted }) }
}

test('each request of a group is told of its own types, and the parts of a request of all', () => {
  const requests = fc.array(fc.array(fc.constantFrom('view', 'u1', 'u2', 'u3'), { minLength: 1, maxLength: 5 }), {
    minLength: 1,
    maxLength: 6,
  })
  fc.assert(
    fc.property(requests, (sent) => {
      const group = sent.map(({ length }) => ({ count: length }))
      const parts = answersOf(group, answerAbout(sent.flat()))
      for (const [place, types] of sent.entries()) {
        const own = answerAbout(types)
        expect(parts[place]).toEqual({ ...own, ...(own.unweighted && { unweighted: expect.any(Array) }) })
        expect(new Set(parts[place]!.unweighted)).toEqual(new Set(own.unweighted))
      }
      const whole = answerOf(group, parts)
      expect(new Set(whole.unweighted)).toEqual(new Set(answerAbout(sent.flat()).unweighted))
      expect('unweighted' in whole).toBe(sent.flat().some((type) => type.startsWith('u')))
    }),
  )
})

test('a flush of 4,000 requests with as many types is divided', () => {
  const types = Array.from({ length: 4_000 }, (_, n) => `u${n}`)
  const parts = answersOf(
    types.map(() => ({ count: 1 })),
    answerAbout(types),
  )
  expect(parts[3_999]!.unweighted).toEqual([typeAt('u3999', 0)])
})

test('indexes count from the first item of the request, also behind items that the gateway rejects', () => {
  const split = splitItems(['bad', 'good', 'good'], (item) =>
    item === 'bad' ? { code: 'too_old', field: null, message: '' } : undefined,
  )
  const answer = { ...NONE, accepted: 2, unweighted: [typeAt('u', 0, 1)] }
  expect(wholeAnswer(split, answer).unweighted).toEqual([typeAt('u', 1, 2)])
})

test('types name only items that are recorded', () => {
  const rejected = [{ index: 0, code: 'refused', field: null, message: '' }]
  const outcome = { accepted: 1, duplicateIndexes: [], rejected, unweighted: [typeAt('a', 0), typeAt('b', 0, 1)] }
  expect(recordedAnswer(outcome).unweighted).toEqual([typeAt('b', 1)])
  expect(recordedAnswer({ ...outcome, unweighted: [typeAt('a', 0)] })).not.toHaveProperty('unweighted')
})
