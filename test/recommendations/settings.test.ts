import { expect, test } from 'vitest'
import { readConfig } from '../../src/main/config/config.ts'
import { recommendSettingsOf } from '../../src/main/config/recommendations.ts'
import { BLEND_DEFAULTS } from '../../src/ranking/recommend/blend.ts'
import { RULE_DEFAULTS } from '../../src/ranking/recommend/rules.ts'

const settingsOf = (environment: Record<string, string>) => recommendSettingsOf(readConfig(environment))

test('the settings of recommendations are the defaults of the ranking when none is set', () => {
  expect(settingsOf({})).toEqual({
    ...{ blend: 'similarity', blends: BLEND_DEFAULTS, rules: RULE_DEFAULTS, seen: 'penalty', interactionsMin: 5 },
  })
})

test('impressions are recorded, kept for 90 days, and attributed for a day; similar products are made daily within bounds', () => {
  expect(readConfig({})).toMatchObject({
    ...{ RECOMMENDATION_IMPRESSIONS: 'on', IMPRESSION_DAYS: 90, ATTRIBUTION_HOURS: 24 },
    ...{ SIMILARITY_HOURS: 24, SIMILARITY_SHOPPER_EVENTS_MAX: 50, SIMILARITY_PRODUCT_EVENTS_MAX: 2_000 },
    ...{ SIMILARITY_WINDOW: 20, SIMILARITY_NEIGHBOURS_MAX: 100, SIMILARITY_BOT_EVENTS_PER_DAY: 1_000 },
  })
})

test('single weights and numbers can be replaced', () => {
  const { blend, blends, rules } = settingsOf({
    RECOMMENDATION_BLEND: 'weighted',
    RECOMMENDATION_BLENDS: '{"weighted":{"base":0.2,"similarity":1}}',
    RECOMMENDATION_RULES: '{"category_max":null,"brand_max":2,"buy_again":["coffee, ground","tea"],"seen_factor":0.9}',
  })
  expect(blend).toBe('weighted')
  expect(blends).toEqual({ ...BLEND_DEFAULTS, weighted: { ...BLEND_DEFAULTS.weighted, base: 0.2, similarity: 1 } })
  const buyAgainCategories = new Set(['coffee, ground', 'tea'])
  expect(rules).toEqual({ ...RULE_DEFAULTS, categoryMax: undefined, brandMax: 2, buyAgainCategories, seenFactor: 0.9 })
})

test.for([
  ['RECOMMENDATION_BLENDS', '{"weighted":{"base":-1}}', 'is wrong: weighted.base must be at least 0'],
  ['RECOMMENDATION_BLENDS', '{"other":{}}', 'is wrong: other is not a known field'],
  ['RECOMMENDATION_RULES', 'null', 'must be a JSON object'],
  ['RECOMMENDATION_RULES', '{"category_max":0}', 'is wrong: category_max must be at least 1'],
  ['RECOMMENDATION_RULES', '{"buy_again":"coffee"}', 'is wrong: buy_again must be a list'],
  ['RECOMMENDATION_SEEN', 'hide', 'must be keep, penalty or remove'],
])('%s=%s is refused: %s', ([name, text, message]) => {
  expect(() => readConfig({ [name!]: text! })).toThrow(`Change these environment variables: ${name} ${message}.`)
})
