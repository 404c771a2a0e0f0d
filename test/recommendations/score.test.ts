import fc from 'fast-check'
import { expect, test } from 'vitest'
import { rowsOfMatrix } from '../../src/ranking/recommend/matrix-rows.ts'
import { createScorer, distinctHistory, SCORE_DEFAULTS, termsOf } from '../../src/ranking/recommend/score.ts'
import { attributesOf, contentOf } from '../../src/ranking/similarity/content.ts'
import { similarityOf } from '../../src/ranking/similarity/matrix.ts'
import { SIMILARITY_DEFAULTS } from '../../src/ranking/similarity/settings.ts'
import { historiesOf, log, PRODUCTS } from '../similarity/arbitrary.ts'

const settings = { ...SCORE_DEFAULTS, historyMax: 4 }
const CATALOG = 100
const score = createScorer()
const history = fc.array(fc.record({ product: fc.nat(PRODUCTS + 1), strength: fc.constantFrom(0, 0.5, 1, 3) }), { maxLength: 8 })
/** Of so many products that an attribute of five of them counts. */
const attributes = fc
  .array(fc.array(fc.nat(3), { maxLength: 3 }), { minLength: PRODUCTS, maxLength: PRODUCTS })
  .map((lists) => [...lists, ...Array<number[]>(CATALOG - PRODUCTS).fill([])])

test('the terms of every score add up to it', () => {
  fc.assert(
    fc.property(log, attributes, history, (log, attributes, history) => {
      const matrix = similarityOf(historiesOf(log, SIMILARITY_DEFAULTS), SIMILARITY_DEFAULTS)
      const rows = rowsOfMatrix(matrix, contentOf(attributesOf(attributes)), SIMILARITY_DEFAULTS)
      const distinct = distinctHistory(history, settings)
      for (const { product, score: total } of score(distinct, rows, settings, Infinity)) {
        const terms = termsOf(product, distinct, rows, settings)
        const sum = terms.reduce(
          (sum, { weight, similarity, cosine }) => sum + weight * (similarity + rows.contentWeight * cosine),
          0,
        )
        expect(sum).toBeCloseTo(total, 9)
      }
    }),
  )
})

test('the best scores are the first of all in order', () => {
  fc.assert(
    fc.property(log, attributes, history, fc.integer({ min: 1, max: 12 }), (log, attributes, history, max) => {
      const matrix = similarityOf(historiesOf(log, SIMILARITY_DEFAULTS), SIMILARITY_DEFAULTS)
      const rows = rowsOfMatrix(matrix, contentOf(attributesOf(attributes)), SIMILARITY_DEFAULTS)
      const distinct = distinctHistory(history, settings)
      const all = score(distinct, rows, settings, Infinity).toSorted(
        (one, other) => other.score - one.score || one.product - other.product,
      )
      expect(score(distinct, rows, settings, max)).toEqual(all.slice(0, max))
    }),
  )
})

test('each event counts by its age and its strength, and a product once', () => {
  const rows = {
    contentWeight: 0.1,
    row: (product: number) =>
      product > 1
        ? undefined
        : {
            neighbours: Int32Array.of(3),
            scores: Float32Array.of(product === 0 ? 0.5 : 0.25),
            counts: Uint32Array.of(1),
            contentNeighbours: Int32Array.of(4),
            cosines: Float32Array.of(1),
          },
  }
  const history = distinctHistory(
    [0, 5, 0, 1].map((product) => ({ product, strength: product + 1 })),
    SCORE_DEFAULTS,
  )
  const candidates = score(history, rows, SCORE_DEFAULTS, Infinity)
  expect(candidates.map(({ product }) => product)).toEqual([3, 4])
  expect(candidates[0]!.score).toBeCloseTo(0.5 + 2 * 0.36 * 0.25, 9)
  expect(candidates[1]!.score).toBeCloseTo(0.1 + 2 * 0.36 * 0.1, 9)
})

test('a scorer forgets the history before', () => {
  const matrix = similarityOf(
    historiesOf(
      [0, 1].map((product) => ({ shopper: 0, product, day: 0 })),
      SIMILARITY_DEFAULTS,
    ),
    SIMILARITY_DEFAULTS,
  )
  const rows = rowsOfMatrix(matrix, undefined, SIMILARITY_DEFAULTS)
  const first = score([{ product: 0, strength: 1 }], rows, SCORE_DEFAULTS, Infinity)
  expect(score([{ product: 0, strength: 1 }], rows, SCORE_DEFAULTS, Infinity)).toEqual(first)
  expect(score([], rows, SCORE_DEFAULTS, Infinity)).toEqual([])
})
