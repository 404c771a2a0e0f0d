import { describe, expect, test } from 'vitest'
import type { ProductFacts } from '../../src/ranking/recommend/facts.ts'
import { recommend, type RecommendInput } from '../../src/ranking/recommend/recommend.ts'
import { RULE_DEFAULTS, type RuleSettings } from '../../src/ranking/recommend/rules.ts'
import { facts, input, NOW_MS, SETTINGS } from '../harness/items/recommendations.ts'

const DAY_MS = 86_400_000
const idsOf = (request: RecommendInput) => recommend(request).map(({ productId }) => productId)
const rulesOf = (request: RecommendInput) =>
  recommend(request).map(({ productId, rules }) => [productId, ...rules.map(({ rule, factor }) => [rule, factor])])
const withRules = (rules: Partial<RuleSettings>) => ({ settings: { ...SETTINGS, rules: { ...RULE_DEFAULTS, ...rules } } })
const shopper = (changes: Partial<RecommendInput['shopper']>) => ({ shopper: { ...input({}).shopper, ...changes } })
const options = (changes: Partial<RecommendInput['options']>) => ({ options: { ...input({}).options, ...changes } })

describe('a product is never shown', () => {
  test.for<[string, Partial<ProductFacts>]>([
    ['that is hidden', { status: 'hidden' }],
    ['that is deleted', { status: 'deleted' }],
    ['without stock', { quantity: 0 }],
    ['with more orders than stock', { quantity: -3 }],
  ])('%s', ([_what, known]) => {
    expect(idsOf(input({ a: facts(known), b: facts() }))).toEqual(['b'])
  })

  test('while one of an unknown quantity, or unknown to the catalog, is shown', () => {
    const unknown = { trending: 0, overall: 0, isNew: false }
    expect(idsOf(input({ a: facts({ quantity: undefined }), b: unknown, c: facts({ quantity: 1 }) })).sort()).toEqual([
      'a',
      'b',
      'c',
    ])
    expect(idsOf({ ...input({ a: facts() }), facts: new Map() })).toEqual(['a'])
  })
})

describe('filters', () => {
  const known = {
    a: facts({ category: 'lighting', brand: 'Lumen', sellerId: 'north', price: 500, currency: 'EUR' }),
    b: facts({ category: 'tables', brand: 'Oak', sellerId: 'south', price: 900, currency: 'EUR' }),
    c: facts({ category: 'tables', price: 700, currency: 'USD' }),
    d: facts(),
  }
  test.for([
    [{}, ['a', 'b', 'c', 'd']],
    [{ categoryIds: new Set(['tables']) }, ['b', 'c']],
    [{ categoryIds: new Set(['tables', 'lighting']), brands: new Set(['Lumen']) }, ['a']],
    [{ sellerIds: new Set(['south']) }, ['b']],
    [{ priceMin: 700 }, ['b', 'c']],
    [{ priceMax: 700 }, ['a', 'c']],
    [{ priceMin: 500, priceMax: 900, currency: 'EUR' }, ['a', 'b']],
    [{ currency: 'USD' }, ['c']],
    [{ exclude: new Set(['a', 'd', 'unknown']) }, ['b', 'c']],
    [{ brands: new Set(['none']) }, []],
  ] as const)('%o leave %j', ([filters, ids]) => {
    expect(idsOf(input(known, options({ filters }))).sort()).toEqual(ids)
  })
})

describe('a product that was ordered lately sinks', () => {
  const known = { a: facts(), b: facts(), coffee: facts({ category: 'coffee' }) }
  test.for([
    [0, true],
    [30, true],
    [30 + 1 / DAY_MS, false],
    [-0.001, true],
  ] as const)('for 30 days: %f days ago, %s', ([days, sinks]) => {
    const request = input(known, shopper({ orderedAtMs: new Map([['a', NOW_MS - days * DAY_MS]]) }))
    expect(rulesOf(request).find(([id]) => id === 'a')).toEqual(sinks ? ['a', ['recently_ordered', 0.3]] : ['a'])
    expect(idsOf(request).at(-1) === 'a').toBe(sinks)
  })

  test('but not of a category that is bought again and again, and then it is not penalised as seen either', () => {
    const ordered = shopper({ orderedAtMs: new Map([['coffee', NOW_MS - DAY_MS]]), seen: new Set(['coffee']) })
    expect(rulesOf(input({ coffee: known.coffee }, ordered))).toEqual([['coffee', ['recently_ordered', 0.3], ['seen', 0.5]]])
    const again = withRules({ buyAgainCategories: new Set(['coffee']) })
    expect(rulesOf(input({ coffee: known.coffee }, { ...ordered, ...again }))).toEqual([['coffee']])
  })
})

describe('a product that the shopper has seen', () => {
  const known = { a: facts(), b: facts() }
  const seen = shopper({ seen: new Set(['a']) })
  test.for([
    ['keep', [['a'], ['b']]],
    ['penalty', [['b'], ['a', ['seen', 0.5]]]],
    ['remove', [['b']]],
  ] as const)('with %s', ([rule, rules]) => {
    expect(rulesOf(input(known, { ...seen, ...options({ seen: rule }) }))).toEqual(rules)
    expect(rulesOf(input(known, { ...seen, settings: { ...SETTINGS, seen: rule } }))).toEqual(rules)
  })
})

test('a product that was shown without a click sinks with each time, at most five times', () => {
  const shown = new Map([
    ['a', 1],
    ['b', 9],
  ])
  expect(rulesOf(input({ a: facts(), b: facts(), c: facts() }, shopper({ shown })))).toEqual([
    ['c'],
    ['a', ['rotation', 0.9]],
    ['b', ['rotation', 0.9 ** 5]],
  ])
})

test('factors are multiplied', () => {
  const all = shopper({ seen: new Set(['a']), orderedAtMs: new Map([['a', NOW_MS]]), shown: new Map([['a', 1]]) })
  const [ranked] = recommend(input({ a: facts() }, { ...all, settings: { ...SETTINGS, blends: onlySimilarity() } }))
  expect(ranked!.total).toBe(Math.round(0.3 * 0.5 * 0.9 * 1e9))
})

function onlySimilarity() {
  const alone = { similarity: 1, base: 0, preference: 0, popularity: 0, rest: 0 }
  return { similarity: alone, weighted: alone }
}

describe('the first 20 places', () => {
  const many = (count: number, of: (at: number) => Partial<ProductFacts>) =>
    Object.fromEntries(Array.from({ length: count }, (_, at) => [`p${String(at).padStart(2, '0')}`, facts(of(at))]))

  test('have at most three products of a category, and the others come after them', () => {
    const known = many(40, (at) => ({ category: at < 10 ? 'lighting' : `c${at}` }))
    const ranked = recommend(input(known, options({ limit: 40 })))
    expect(ranked.slice(0, 20).filter((each) => each.facts.category === 'lighting')).toHaveLength(3)
    expect(ranked).toHaveLength(40)
    expect(ranked[20]).toMatchObject({
      productId: 'p03',
      rules: [{ rule: 'category_cap', factor: 1, detail: 'the first 20 have 3 of category lighting' }],
    })
  })

  test('end before when there are too few categories', () => {
    expect(
      idsOf(
        input(
          many(40, () => ({ category: 'lighting' })),
          options({ limit: 40 }),
        ),
      ),
    ).toHaveLength(3)
  })

  test('are not capped for products without a category, or when categories are asked for', () => {
    expect(idsOf(input(many(30, () => ({}))))).toHaveLength(20)
    const filters = { categoryIds: new Set(['lighting']) }
    expect(
      idsOf(
        input(
          many(30, () => ({ category: 'lighting' })),
          options({ filters }),
        ),
      ),
    ).toHaveLength(20)
  })

  test('are capped by brand when that is asked for', () => {
    const known = many(30, (at) => ({ brand: at % 2 === 0 ? 'Lumen' : `b${at}` }))
    const brands = (request: RecommendInput) => recommend(request).filter((each) => each.facts.brand === 'Lumen').length
    expect(brands(input(known))).toBe(10)
    expect(brands(input(known, options({ brandMax: 2 })))).toBe(2)
    expect(brands(input(known, withRules({ brandMax: 4 })))).toBe(4)
  })

  test('keep a tenth for new products, which stand where their score puts them', () => {
    const known = many(40, (at) => ({ isNew: at >= 36 }))
    const request = input(known)
    const ranked = recommend({
      ...request,
      candidates: request.candidates.map((each, at) => ({ ...each, similarity: 40 - at })),
    })
    expect(ranked.slice(17).map(({ productId, rules }) => [productId, rules.map(({ rule }) => rule)])).toEqual([
      ['p17', []],
      ['p36', ['new_product']],
      ['p37', ['new_product']],
    ])
    expect(idsOf(input(known, withRules({ newShare: 0 }))).some((id) => id >= 'p36')).toBe(false)
  })
})
