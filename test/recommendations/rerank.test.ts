import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readConfig } from '../../src/main/config/config.ts'
import { rerankSettingsOf } from '../../src/main/config/rerank.ts'
import { type KnownProduct, rerank, RERANK_DEFAULTS, type RerankInput } from '../../src/ranking/recommend/rerank.ts'

type Item = RerankInput['items'][number]

const item = (productId: string, score = 1): Item => ({ productId, score })
const PLENTY: KnownProduct = { interactions: 100 }

/** A list of popular products without categories, and an empty visit, unless changed. */
function input(
  items: readonly Item[],
  known: Record<string, KnownProduct> = {},
  changes: Partial<RerankInput> = {},
): RerankInput {
  const visit = { products: [], categories: new Map<string, number>() }
  return { items, visit, known: (id) => known[id] ?? PLENTY, numbers: RERANK_DEFAULTS.standard, ...changes }
}

const visitOf = (products: readonly string[], categories: Record<string, number> = {}) => ({
  visit: { products, categories: new Map(Object.entries(categories)) },
})
const others = (count: number) => Array.from({ length: count }, (_, at) => item(`other${String(at).padStart(3, '0')}`, 0.001))
const rulesOf = (request: RerankInput, productId: string) =>
  rerank(request)
    .find((each) => each.productId === productId)!
    .rules.map(({ rule, factor }) => [rule, factor])

describe('the boost for n events of the visit in the category', () => {
  test.for([
    ['standard', 0, undefined],
    ['standard', 1, 1.08],
    ['standard', 4, 1.32],
    ['standard', 5, 1.4],
    ['standard', 50, 1.4],
    ['mild', 1, 1.05],
    ['mild', 4, 1.2],
    ['mild', 50, 1.2],
  ] as const)('%s, %i events: %d', ([preset, events, factor]) => {
    const list = [item('lamp'), ...others(9)]
    const visit = visitOf([], events === 0 ? {} : { lighting: events })
    const known = { lamp: { ...PLENTY, category: 'lighting' } }
    const rules = rulesOf(input(list, known, { ...visit, numbers: RERANK_DEFAULTS[preset] }), 'lamp')
    expect(rules).toEqual(factor === undefined ? [] : [['intent_boost', factor]])
  })
})

describe('the penalty for the newest products of the visit', () => {
  test.for([
    ['standard', 1, 0.2],
    ['standard', 5, 0.2],
    ['standard', 6, 0.4],
    ['standard', 10, 0.4],
    ['standard', 11, 0.6],
    ['standard', 20, 0.6],
    ['standard', 21, undefined],
    ['mild', 1, 0.7],
    ['mild', 20, 0.7],
    ['mild', 21, undefined],
  ] as const)('%s, place %i: %d', ([preset, place, factor]) => {
    const products = Array.from({ length: 30 }, (_, at) => (at === place - 1 ? 'lamp' : `p${at}`))
    const rules = rulesOf(input([item('lamp')], {}, { ...visitOf(products), numbers: RERANK_DEFAULTS[preset] }), 'lamp')
    expect(rules).toEqual(factor === undefined ? [] : [['recent_penalty', factor]])
  })
})

test.for([
  [0, [['popularity_floor', 0.9]]],
  [4, [['popularity_floor', 0.9]]],
  [5, []],
  [undefined, []],
] as const)('a product with %s interactions has the rules %j', ([interactions, rules]) => {
  expect(rulesOf(input([item('lamp')], { lamp: { interactions } }), 'lamp')).toEqual(rules)
})

describe('a category that is more than a part of the list', () => {
  test.for([
    ['standard', 2, 8, undefined],
    ['standard', 3, 9, 0.7],
    ['mild', 4, 10, undefined],
    ['mild', 4, 9, 0.85],
  ] as const)('%s, %i of %i items: %d', ([preset, count, length, factor]) => {
    const lamps = Array.from({ length: count }, (_, at) => item(`lamp${at}`))
    const known = Object.fromEntries(lamps.map(({ productId }) => [productId, { ...PLENTY, category: 'lighting' }]))
    const request = input([...lamps, ...others(length - count)], known, { numbers: RERANK_DEFAULTS[preset] })
    for (const { productId } of lamps) {
      expect(rulesOf(request, productId)).toEqual(factor === undefined ? [] : [['category_share', factor]])
    }
  })
})

test('the fifth and later products of a category are halved, by the order after the other rules', () => {
  const lamps = Array.from({ length: 6 }, (_, at) => item(`lamp${at}`, 10 - at))
  const known = Object.fromEntries(lamps.map(({ productId }) => [productId, { ...PLENTY, category: 'lighting' }]))
  const ranked = rerank(input([...lamps, ...others(30)], known, visitOf(['lamp0'])))
  expect(ranked.slice(0, 6).map(({ productId, score, rules }) => [productId, score, rules.map(({ rule }) => rule)])).toEqual([
    ['lamp1', 9, []],
    ['lamp2', 8, []],
    ['lamp3', 7, []],
    ['lamp4', 6, []],
    ['lamp5', 2.5, ['category_count']],
    ['lamp0', 1, ['recent_penalty', 'category_count']],
  ])
})

test('factors are multiplied, and each rule says what it found', () => {
  const list = [item('lamp', 2), item('desk', 1), item('rug', 1), item('oak', 1)]
  const known = { lamp: { category: 'lighting', interactions: 3 } }
  const [lamp] = rerank(input(list, known, visitOf(['lamp'], { lighting: 2 }))).filter(({ productId }) => productId === 'lamp')
  expect(lamp).toEqual({
    productId: 'lamp',
    originalScore: 2,
    score: 2 * (1.16 * 0.2 * 0.9),
    rules: [
      { rule: 'intent_boost', factor: 1.16, detail: 'events of the visit with category lighting: 2' },
      { rule: 'recent_penalty', factor: 0.2, detail: 'place 1 of the newest products' },
      { rule: 'popularity_floor', factor: 0.9, detail: 'interactions: 3' },
    ],
  })
})

test('unknown products come last in the order of their scores, with the scores that they had', () => {
  const known = { x: { interactions: 0, isUnknown: true }, y: { interactions: 0, isUnknown: true } }
  const ranked = rerank(input([item('x', 5), item('y', 9), item('lamp', 0.1)], known))
  expect(ranked.map(({ productId, score, rules }) => [productId, score, rules.map(({ rule }) => rule)])).toEqual([
    ['lamp', 0.1, []],
    ['y', 9, ['unknown_product']],
    ['x', 5, ['unknown_product']],
  ])
})

test('a product of the visit is not unknown, because its event may not be recorded yet', () => {
  const known = { lamp: { interactions: 0, isUnknown: true } }
  expect(rulesOf(input([item('lamp')], known, visitOf(['lamp'])), 'lamp')).toEqual([
    ['recent_penalty', 0.2],
    ['popularity_floor', 0.9],
  ])
})

test('a penalty lowers a score below 0 too, and a boost raises it', () => {
  const known = { lamp: { ...PLENTY, category: 'lighting' } }
  const scoreOf = (visit: ReturnType<typeof visitOf>) =>
    rerank(input([item('lamp', -1), ...others(9)], known, visit)).find(({ productId }) => productId === 'lamp')!.score
  expect(scoreOf(visitOf(['lamp']))).toBe(-5)
  expect(scoreOf(visitOf([], { lighting: 5 }))).toBe(-1 / 1.4)
})

test('a product that is in the list twice stays there twice', () => {
  const ranked = rerank(input([item('lamp', 1), item('lamp', 3), item('desk', 2)], {}, visitOf(['lamp'])))
  expect(ranked.map(({ productId, score }) => [productId, score])).toEqual([
    ['desk', 2],
    ['lamp', 3 * 0.2],
    ['lamp', 0.2],
  ])
})

/** Without -0, which JSON has as 0. */
const FINITE = fc.double({ noNaN: true, noDefaultInfinity: true }).map((score) => score + 0)

const listArbitrary = fc.record({
  items: fc.array(
    fc.record({
      productId: fc.integer({ min: 0, max: 15 }).map((number) => `p${number}`),
      score: fc.oneof(FINITE, fc.integer({ min: -2, max: 2 })),
    }),
    { maxLength: 40 },
  ),
  products: fc.uniqueArray(
    fc.integer({ min: 0, max: 15 }).map((number) => `p${number}`),
    { maxLength: 16 },
  ),
  events: fc.nat(9),
  preset: fc.constantFrom('standard' as const, 'mild' as const),
})

const KNOWN: Record<string, KnownProduct> = Object.fromEntries(
  Array.from({ length: 16 }, (_, number) => [
    `p${number}`,
    number < 2
      ? { interactions: 0, isUnknown: true }
      : { interactions: number, category: number % 3 === 0 ? undefined : `c${number % 2}` },
  ]),
)

const ranked = ({
  items,
  products,
  events,
  preset,
}: {
  items: readonly Item[]
  products: string[]
  events: number
  preset: 'standard' | 'mild'
}) => rerank(input(items, KNOWN, { ...visitOf(products, { c0: events }), numbers: RERANK_DEFAULTS[preset] }))

test('of any list nothing is dropped, every score is finite and is the product of its factors, and the order is that of the scores', () => {
  const identity = ({ productId, score }: Item) => `${productId} ${score}`
  fc.assert(
    fc.property(listArbitrary, (list) => {
      const result = ranked(list)
      const kept = result.map(({ productId, originalScore: score }) => identity({ productId, score }))
      expect(kept.sort()).toEqual(list.items.map(identity).sort())
      for (const { score, originalScore, rules } of result) {
        expect(Number.isFinite(score)).toBe(true)
        const factor = rules.reduce((before, rule) => before * rule.factor, 1)
        const exact = originalScore < 0 ? originalScore / factor : originalScore * factor
        expect(score).toBe(Number.isFinite(exact) ? exact : Math.sign(exact) * Number.MAX_VALUE)
      }
      const isUnknown = result.map(
        ({ productId }) => (KNOWN[productId]!.isUnknown ?? false) && !list.products.includes(productId),
      )
      expect(isUnknown).toEqual(isUnknown.toSorted((one, other) => Number(one) - Number(other)))
      for (const part of [false, true]) {
        const scores = result.filter((_, at) => isUnknown[at] === part).map(({ score }) => score)
        expect(scores).toEqual(scores.toSorted((one, other) => other - one))
      }
    }),
    { numRuns: 1_000 },
  )
})

test('the order of the list changes nothing', () => {
  const shuffled = listArbitrary.chain((list) =>
    fc.tuple(fc.constant(list), fc.shuffledSubarray([...list.items], { minLength: list.items.length })),
  )
  fc.assert(
    fc.property(shuffled, ([list, items]) => {
      expect(ranked({ ...list, items })).toEqual(ranked(list))
    }),
    { numRuns: 500 },
  )
})

describe('the settings', () => {
  const settingsOf = (environment: Record<string, string>) => rerankSettingsOf(readConfig(environment))

  test('are those of the table when none is set', () => {
    expect(settingsOf({})).toEqual({ preset: 'standard', presets: RERANK_DEFAULTS })
  })

  test('replace single numbers of a preset', () => {
    const { preset, presets } = settingsOf({
      RERANK_PRESET: 'mild',
      RERANK_MILD: '{"intent_step":0.1,"recent":[{"products":20,"factor":0.9},{"products":3,"factor":0.5}]}',
    })
    expect(preset).toBe('mild')
    expect(presets.standard).toEqual(RERANK_DEFAULTS.standard)
    const recent = [
      { products: 3, factor: 0.5 },
      { products: 20, factor: 0.9 },
    ]
    expect(presets.mild).toEqual({ ...RERANK_DEFAULTS.mild, intentStep: 0.1, recent })
  })

  test.for([
    ['{', 'must be a JSON object'],
    ['[]', 'must be a JSON object'],
    ['{"intent_step":-1}', 'is wrong: intent_step must be at least 0'],
    ['{"step":1}', 'is wrong: step is not a known field'],
    ['{"floor_factor":0}', 'is wrong: floor_factor must be at least 0.000001'],
    ['{"recent":[{"products":5}]}', 'is wrong: recent.0.factor is missing'],
    ['{"count_max":1.5}', 'is wrong: count_max must be a whole number'],
  ])('%s is refused: %s', ([text, message]) => {
    expect(() => readConfig({ RERANK_STANDARD: text! })).toThrow(
      `Change these environment variables: RERANK_STANDARD ${message}.`,
    )
  })
})
