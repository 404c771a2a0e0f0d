import { z } from 'zod'
import { Id } from '../../contract/fields/id.ts'
import { BLENDS, CAP_MAX, HISTORY_MAX, SEEN_RULES } from '../../contract/recommendation.ts'
import { BLEND_DEFAULTS, type BlendWeights } from '../../ranking/recommend/blend.ts'
import type { RecommendConfig } from '../../ranking/recommend/recommend.ts'
import { RULE_DEFAULTS, type RuleSettings } from '../../ranking/recommend/rules.ts'
import { defaultsOf, jsonObject } from './json-object.ts'
import { settingsIn, type SettingsOf, wholeNumber } from './setting.ts'

/** Above 0, because products that a rule multiplied by 0 would lose their order. */
export const Factor = z.number().min(0.000001).max(1_000)
export const factor = (byDefault: number) => Factor.default(byDefault)
const weight = (byDefault: number) => z.number().min(0).max(1_000).default(byDefault)
const cap = (byDefault: number | undefined) =>
  z
    .int()
    .min(1)
    .max(CAP_MAX)
    .nullable()
    .default(byDefault ?? null)

const blend = (byDefault: BlendWeights) =>
  z.strictObject({
    similarity: weight(byDefault.similarity),
    base: weight(byDefault.base),
    preference: weight(byDefault.preference),
    popularity: weight(byDefault.popularity),
    rest: weight(byDefault.rest),
  })
const Blends = z.strictObject({
  similarity: blend(BLEND_DEFAULTS.similarity).prefault({}),
  weighted: blend(BLEND_DEFAULTS.weighted).prefault({}),
})

const Rules = z.strictObject({
  seen_factor: factor(RULE_DEFAULTS.seenFactor),
  ordered_factor: factor(RULE_DEFAULTS.orderedFactor),
  ordered_days: z.number().min(0).max(3_650).default(RULE_DEFAULTS.orderedDays),
  buy_again: z
    .array(Id)
    .max(1_000)
    .default([...RULE_DEFAULTS.buyAgainCategories]),
  category_max: cap(RULE_DEFAULTS.categoryMax),
  brand_max: cap(RULE_DEFAULTS.brandMax),
  new_share: z.number().min(0).max(1).default(RULE_DEFAULTS.newShare),
  rotation_factor: factor(RULE_DEFAULTS.rotationFactor),
  rotation_times_max: z.int().min(0).max(100).default(RULE_DEFAULTS.rotationTimesMax),
})

export const recommendationSettings = settingsIn('Recommendations', {
  RECOMMENDATION_BLEND: z
    .enum(BLENDS)
    .default('similarity')
    .describe('How scores are made when a request does not say it (docs/recommendations.md).'),
  RECOMMENDATION_BLENDS: jsonObject(Blends).describe(`A JSON object with the weights that differ from ${defaultsOf(Blends)}.`),
  RECOMMENDATION_INTERACTIONS_MIN: wholeNumber(0, HISTORY_MAX)
    .default(5)
    .describe('A shopper with fewer interactions gets popular products.')
    .meta({ unit: 'events' }),
  RECOMMENDATION_SEEN: z
    .enum(SEEN_RULES)
    .default('penalty')
    .describe("What happens to products of the shopper's history when a request does not say it."),
  RECOMMENDATION_RULES: jsonObject(Rules).describe(
    `A JSON object with the numbers that differ from ${defaultsOf(Rules)}. A cap of null is none; buy_again has categories.`,
  ),
})

export function recommendSettingsOf(config: SettingsOf<typeof recommendationSettings>): RecommendConfig {
  return {
    blend: config.RECOMMENDATION_BLEND,
    blends: config.RECOMMENDATION_BLENDS,
    rules: ruleSettingsOf(config),
    seen: config.RECOMMENDATION_SEEN,
    interactionsMin: config.RECOMMENDATION_INTERACTIONS_MIN,
  }
}

function ruleSettingsOf(config: SettingsOf<typeof recommendationSettings>): RuleSettings {
  const rules = config.RECOMMENDATION_RULES
  return {
    seenFactor: rules.seen_factor,
    orderedFactor: rules.ordered_factor,
    orderedDays: rules.ordered_days,
    buyAgainCategories: new Set(rules.buy_again),
    categoryMax: rules.category_max ?? undefined,
    brandMax: rules.brand_max ?? undefined,
    newShare: rules.new_share,
    rotationFactor: rules.rotation_factor,
    rotationTimesMax: rules.rotation_times_max,
  }
}
