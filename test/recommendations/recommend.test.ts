import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Recommendation } from '../../src/contract/recommendation.ts'
import { compareBytes } from '../../src/ranking/byte-order.ts'
import { bestScored, candidatesOf } from '../../src/ranking/recommend/candidates.ts'
import { recommendationOf } from '../../src/ranking/recommend/explanation.ts'
import { isAvailable, NO_FACTS } from '../../src/ranking/recommend/facts.ts'
import { productOf, recommend } from '../../src/ranking/recommend/recommend.ts'
import { byScore } from '../../src/ranking/recommend/score.ts'
import { facts, input, recommendationArbitrary, type TestRecommendation } from '../harness/items/recommendations.ts'

const check = (property: (drawn: TestRecommendation) => void) =>
  fc.assert(fc.property(recommendationArbitrary, property), { numRuns: 500 })

test('the shares of every explained score add up to it exactly', () => {
  check(({ input, terms }) => {
    for (const product of recommend(input)) {
      const answer = recommendationOf(product, terms)
      const { total, shares } = answer.reasons!
      expect(shares.reduce((sum, { share }) => sum + share, 0)).toBe(total)
      expect(Math.round(answer.score * 1e9)).toBe(total)
      expect(shares.every(({ share }) => share >= 0)).toBe(true)
      expect(Recommendation.safeParse(answer).success).toBe(true)
    }
  })
})

test('each share is its numbers multiplied, within the rounding of the share and of the score', () => {
  check(({ input, terms }) => {
    for (const product of recommend(input)) {
      const factor = productOf(product.rules)
      for (const share of recommendationOf(product, terms).reasons!.shares) {
        expect(Math.abs(share.share - exactOf(share) * factor * 1e9)).toBeLessThan(1.5 + 1e-9 * product.total)
      }
    }
  })
})

type Share = NonNullable<Recommendation['reasons']>['shares'][number]

function exactOf(share: Share): number {
  if (share.part === 'similarity') return share.weight * share.decay * share.strength * share.similarity
  if (share.part === 'content') return share.weight * share.decay * share.strength * share.content_weight * share.cosine
  if (share.part === 'base') return (share.weight * (share.price + share.stock)) / 2
  if (share.part === 'preference') return (share.weight * (share.category + share.brand)) / 2
  return share.weight * (0.75 * share.trending + 0.25 * share.overall)
}

test('an explanation changes neither scores nor ranks', () => {
  check(({ input, terms }) => {
    const ranked = recommend(input)
    const explained = ranked.map((each) => recommendationOf(each, terms))
    expect(explained.map(({ reasons: _reasons, ...item }) => item)).toEqual(ranked.map((each) => recommendationOf(each)))
  })
})

test('the order of the candidates and facts changes nothing', () => {
  const shuffled = recommendationArbitrary.chain((drawn) =>
    fc.tuple(
      fc.constant(drawn),
      fc.shuffledSubarray([...drawn.input.candidates], { minLength: drawn.input.candidates.length }),
      fc.shuffledSubarray([...drawn.input.facts], { minLength: drawn.input.facts.size }),
    ),
  )
  fc.assert(
    fc.property(shuffled, ([{ input }, candidates, known]) => {
      expect(recommend({ ...input, candidates, facts: new Map(known) })).toEqual(recommend(input))
    }),
    { numRuns: 300 },
  )
})

test('the best of scored products are the first of all in order', () => {
  const scored = fc.array(fc.record({ product: fc.nat(30), score: fc.constantFrom(0.1, 0.2, 0.3, 0.5) }), { maxLength: 30 })
  fc.assert(
    fc.property(scored, fc.integer({ min: 1, max: 12 }), (products, max) => {
      expect(bestScored(products, max)).toEqual(products.toSorted(byScore).slice(0, max))
    }),
  )
})

test('nothing is shown that is hidden, deleted, out of stock, excluded by a filter, or seen when that removes', () => {
  check(({ input }) => {
    const { seen, filters } = input.options
    for (const { productId } of recommend(input)) {
      const known = input.facts.get(productId) ?? NO_FACTS
      expect(isAvailable(known)).toBe(true)
      if (filters.categoryIds !== undefined) expect(filters.categoryIds).toContain(known.category)
      if (seen === 'remove') expect(input.shopper.seen).not.toContain(productId)
    }
  })
})

test('the first 20 hold the caps', () => {
  check(({ input }) => {
    const { categoryMax } = input.settings.rules
    const first = recommend(input).slice(0, 20)
    const countsOf = (kind: 'category' | 'brand') => {
      const names = first.flatMap(({ facts }) => facts[kind] ?? [])
      return [...Map.groupBy(names, (name) => name).values()].map(({ length }) => length)
    }
    if (input.options.filters.categoryIds === undefined)
      expect(Math.max(0, ...countsOf('category'))).toBeLessThanOrEqual(categoryMax ?? 20)
    expect(Math.max(0, ...countsOf('brand'))).toBeLessThanOrEqual(input.options.brandMax ?? 20)
  })
})

test('the first 20, and those after them, have the order of their scores, ties that of the bytes of their ids', () => {
  check(({ input }) => {
    const ranked = recommend(input)
    expect(ranked.map(({ rank }) => rank)).toEqual(ranked.map((_, at) => at + 1))
    for (const part of [ranked.slice(0, 20), ranked.slice(20)]) {
      const sorted = part.toSorted((one, other) => other.total - one.total || compareBytes(one.productId, other.productId))
      expect(part).toEqual(sorted)
    }
    expect(ranked.length).toBeLessThanOrEqual(input.options.limit)
    expect(new Set(ranked.map(({ productId }) => productId)).size).toBe(ranked.length)
  })
})

test('without rules and caps, similar products are in the order of the recipe, and all others come after them', () => {
  check(({ input }) => {
    const rules = { ...input.settings.rules, categoryMax: undefined, newShare: 0 }
    const shopper = { ...input.shopper, orderedAtMs: new Map<string, number>(), shown: new Map<string, number>() }
    const options = { limit: 100, blend: 'similarity', seen: 'keep', filters: {} } as const
    const ranked = recommend({ ...input, strategy: 'personal', shopper, options, settings: { ...input.settings, rules } })
    const similarities = ranked.map(({ parts }) => parts.similarity)
    for (const [at, similarity] of similarities.slice(1).entries()) {
      // The rest orders products whose similarities differ by less than a millionth.
      expect(similarities[at]!).toBeGreaterThanOrEqual(similarity - 1.001e-6)
    }
  })
})

test('the strategy popular shows popular and trending products alone', () => {
  check(({ input, lists, similarityOf }) => {
    const popular = new Set([...lists.popular, ...lists.trending, ...lists.popularInCategory])
    const candidates = candidatesOf(lists, { strategy: 'popular', similarityOf })
    for (const { productId, parts } of recommend({ ...input, strategy: 'popular', candidates })) {
      expect(popular).toContain(productId)
      expect(parts.similarity).toBe(0)
    }
  })
})

test.for([
  ['home/lamps', 'home/lamps', { category: 'home/lamps', brand: 'Lumen' }],
  ['home > lamps > floor', 'home/lamps', { category: 'home/lamps', brand: 'Lumen' }],
  ['home/lamps', 'home/rugs', { category: 'home', brand: 'Lumen' }],
  ['lamps', 'rugs', { brand: 'Lumen' }],
  [undefined, undefined, { brand: 'Lumen' }],
] as const)('products of %s and %s share %o', ([category, other, shared]) => {
  const known = { a: facts({ category, brand: 'Lumen' }), had: facts({ category: other, brand: 'Lumen' }) }
  const request = input(known)
  const [ranked] = recommend({ ...request, candidates: request.candidates.slice(0, 1) })
  const term = { entry: 0, weight: 1, similarity: 0, count: 0, cosine: 1 }
  const terms = { history: request.history, facts: request.facts, decay: 0.6, contentWeight: 0.1, termsOf: () => [term] }
  const { shares } = recommendationOf(ranked!, terms).reasons!
  expect(shares[0]).toMatchObject({ part: 'content', product_id: 'had', shared })
})
