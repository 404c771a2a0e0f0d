import { z } from 'zod'
import { RERANK_ITEMS_MAX, RERANK_PRESETS } from '../../contract/rerank.ts'
import { SHOPPER_EVENTS_MAX } from '../../ranking/shopper-event.ts'
import { RERANK_DEFAULTS, type RerankNumbers, type RerankSettings } from '../../ranking/recommend/rerank.ts'
import { defaultsOf, jsonObject } from './json-object.ts'
import { Factor, factor } from './recommendations.ts'
import { settingsIn, type SettingsOf } from './setting.ts'

const INTENT_MAX = 1_000

const numbers = (byDefault: RerankNumbers) =>
  z.strictObject({
    intent_step: z.number().min(0).max(INTENT_MAX).default(byDefault.intentStep),
    intent_max: z.number().min(0).max(INTENT_MAX).default(byDefault.intentMax),
    recent: z
      .array(z.strictObject({ products: z.int().min(1).max(SHOPPER_EVENTS_MAX), factor: Factor }))
      .max(SHOPPER_EVENTS_MAX)
      .default([...byDefault.recent]),
    floor_interactions: z.int().min(0).default(byDefault.floorInteractions),
    floor_factor: factor(byDefault.floorFactor),
    share_max: z.number().min(0).max(1).default(byDefault.shareMax),
    share_factor: factor(byDefault.shareFactor),
    count_max: z.int().min(0).max(RERANK_ITEMS_MAX).default(byDefault.countMax),
    count_factor: factor(byDefault.countFactor),
  })
const Standard = numbers(RERANK_DEFAULTS.standard)
const Mild = numbers(RERANK_DEFAULTS.mild)

export const rerankSettings = settingsIn('Recommendations', {
  RERANK_PRESET: z
    .enum(RERANK_PRESETS)
    .default('standard')
    .describe('The numbers of reranking when a request does not say it (docs/recommendations.md).'),
  RERANK_STANDARD: jsonObject(Standard).describe(
    `A JSON object with the numbers of the preset that differ from ${defaultsOf(Standard)}.`,
  ),
  RERANK_MILD: jsonObject(Mild).describe(`The same for ${defaultsOf(Mild)}.`),
})

export function rerankSettingsOf(config: SettingsOf<typeof rerankSettings>): RerankSettings {
  const { RERANK_PRESET: preset, RERANK_STANDARD: standard, RERANK_MILD: mild } = config
  return { preset, presets: { standard: numbersOf(standard), mild: numbersOf(mild) } }
}

function numbersOf(json: z.infer<typeof Standard>): RerankNumbers {
  return {
    intentStep: json.intent_step,
    intentMax: json.intent_max,
    // The smallest tier with room for a product holds, in whatever order they are written.
    recent: json.recent.toSorted((one, other) => one.products - other.products),
    floorInteractions: json.floor_interactions,
    floorFactor: json.floor_factor,
    shareMax: json.share_max,
    shareFactor: json.share_factor,
    countMax: json.count_max,
    countFactor: json.count_factor,
  }
}
