import fc from 'fast-check'
import { expect, test } from 'vitest'
import { SimilarProduct } from '../../src/contract/similar-product.ts'
import { neighboursOf } from '../../src/ranking/recommend/similar.ts'
import {
  boughtTogetherCandidates,
  kindCandidates,
  similarCandidates,
  similarListOf,
} from '../../src/ranking/recommend/similar-list.ts'
import { facts, idOf, rowsOf } from '../harness/items/recommendations.ts'

const ROWS = rowsOf({
  rows: [
    [
      [1, 0.5, 10],
      [2, 0.25, 4],
    ],
    [[0, 0.25, 10]],
    [[1, 1, 3]],
    [],
  ],
  contentRows: [[[3, 0.5, 1]], [], [], [[0, 0.5, 1]]],
  contentWeight: 0.1,
})
const listOf = (changes: Partial<Parameters<typeof similarListOf>[1]> = {}) =>
  similarListOf(similarCandidates(neighboursOf(0, ROWS)!, { idOf, contentWeight: 0.1 }), {
    ...{ productId: 'p0', facts: new Map(), limit: 10, explains: false },
    ...changes,
  })

test('a list of similar products adds both directions and the content', () => {
  expect(listOf()).toEqual([
    { product_id: 'p1', score: 0.75, rank: 1 },
    { product_id: 'p2', score: 0.25, rank: 2 },
    { product_id: 'p3', score: 0.05, rank: 3 },
  ])
  expect(listOf({ explains: true })[0]).toEqual({
    product_id: 'p1',
    score: 0.75,
    rank: 1,
    reasons: {
      total: 750_000_000,
      shares: [
        { share: 500_000_000, part: 'to', similarity: 0.5, pairs: 10 },
        { share: 250_000_000, part: 'from', similarity: 0.25, pairs: 10 },
      ],
    },
  })
})

test('a product that the similarities do not have has undefined neighbours, and a product without any has an empty list', () => {
  expect(neighboursOf(4, ROWS)).toBeUndefined()
  expect(neighboursOf(3, { ...ROWS, contentWeight: 0 })).toEqual([])
})

test('what cannot be bought is left out, and alternatives are of one category', () => {
  const known = new Map([
    ['p1', facts({ quantity: 0 })],
    ['p2', facts({ category: 'lighting' })],
  ])
  expect(listOf({ facts: known }).map(({ product_id }) => product_id)).toEqual(['p2', 'p3'])
  expect(listOf({ facts: known, category: 'lighting' }).map(({ product_id }) => product_id)).toEqual(['p2'])
})

test('bought together is the cosine of the orders, shrunk', () => {
  const pairs = [
    { productId: 'a', together: 1, otherOrders: 1 },
    { productId: 'b', together: 4, otherOrders: 4 },
    { productId: 'c', together: 0, otherOrders: 0 },
  ]
  const list = similarListOf(boughtTogetherCandidates(pairs, 4), { productId: 'p0', facts: new Map(), limit: 10, explains: true })
  expect(list.map(({ product_id, score }) => [product_id, score])).toEqual([
    ['b', 0.8],
    ['a', 0.25],
  ])
  expect(list[0]!.reasons!.shares).toEqual([
    { share: 800_000_000, part: 'bought_together', together: 4, orders: 4, other_orders: 4 },
  ])
})

test('a new product has those of its brand and category, then of either, the popular ones first', () => {
  const others = new Map([
    ['a', facts({ category: 'lighting', trending: 1 })],
    ['b', facts({ category: 'lighting', brand: 'Lumen' })],
    ['c', facts({ brand: 'Lumen', trending: 2 })],
    ['d', facts({ category: 'rugs' })],
    ['e', facts({ category: 'lighting', trending: 1 })],
    ['new', facts({ category: 'lighting', brand: 'Lumen' })],
  ])
  const candidates = kindCandidates({ category: 'lighting', brand: 'Lumen' }, others)
  const list = similarListOf(candidates, { productId: 'new', facts: others, limit: 10, explains: false })
  expect(list.map(({ product_id, score }) => [product_id, score])).toEqual([
    ['b', 1],
    ['c', 0.5],
    ['a', 0.5],
    ['e', 0.5],
  ])
  expect(similarListOf(kindCandidates({}, others), { productId: 'new', facts: others, limit: 10, explains: false })).toEqual([])
})

test('for any rows the list is sorted, its shares add up, and it is symmetrical where both rows have the other', () => {
  const product = fc.integer({ min: 0, max: 9 })
  const row = fc.uniqueArray(fc.tuple(product, fc.float({ min: Math.fround(0.001), max: 1, noNaN: true }), fc.constant(3)), {
    selector: ([each]) => each,
    maxLength: 9,
  })
  const rows = fc.array(row, { minLength: 10, maxLength: 10 })
  fc.assert(
    fc.property(rows, rows, (own, content) => {
      const all = rowsOf({ rows: own, contentRows: content, contentWeight: 0.08 })
      const neighbours = Array.from({ length: 10 }, (_, each) => neighboursOf(each, all)!)
      for (const [asked, list] of neighbours.entries()) {
        const items = similarListOf(similarCandidates(list, { idOf, contentWeight: 0.08 }), {
          ...{ productId: idOf(asked), facts: new Map(), limit: 100, explains: true },
        })
        for (const item of items) {
          expect(item.reasons!.shares.reduce((sum, { share }) => sum + share, 0)).toBe(item.reasons!.total)
          expect(SimilarProduct.safeParse(item).success).toBe(true)
          expect(item.product_id).not.toBe(idOf(asked))
        }
        expect(items.map(({ score }) => score)).toEqual(items.map(({ score }) => score).toSorted((one, other) => other - one))
        for (const { product: other, to, from } of list) {
          const back = neighbours[other]!.find(({ product: each }) => each === asked)
          if (to.similarity > 0 && from.similarity > 0) expect([back!.to, back!.from]).toEqual([from, to])
        }
      }
    }),
    { numRuns: 200 },
  )
})
