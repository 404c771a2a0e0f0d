import { z } from 'zod'
import { pageLimit, PageOffset } from './fields/page.ts'
import { storableText } from './fields/text.ts'
import { handler } from './handler.ts'

/** `tuned`: written by `footfall evaluate --tune --save`. */
export const SETTINGS_SOURCES = ['default', 'tuned'] as const

const SETTINGS_VERSION_MAX = 2 ** 31 - 1
export const SettingsVersion = z.int().min(0).max(SETTINGS_VERSION_MAX).describe('0 for the defaults of the release.')

export const RankingSettings = z.object({
  alpha: z.number().describe('Exponent of the popularity of the product that a shopper had.'),
  beta: z.number().describe('Exponent of the popularity of the product that followed.'),
  gamma: z.number().describe('Exponent of the gap between both.'),
  rho: z.number().describe('Weight of pairs against the order of time.'),
  kappa: z.number().describe('Pairs that a similarity is shrunk by.'),
  contentFactor: z.number().describe('What a cosine of categories and brands counts, as a share of the median best similarity.'),
  decay: z.number().describe('λ: the weight of each event of a history relative to the one after it.'),
})

const Measured = z.object({ ndcg: z.number(), hr: z.number() })

/** What a tuning measured. The test is not part of it. */
export const TuningEvidence = z.object({
  data: z.string().describe("`log` for the shop's own, otherwise the name of the file."),
  protocol: z.string(),
  seed: z.int(),
  shoppers: z.int(),
  products: z.int(),
  events: z.int(),
  cases: z.int().describe('Cases of the validation that were asked.'),
  k: z.int().describe('The length of the lists.'),
  trials: z.int().describe('How many settings were tried.'),
  bounds: z.record(z.string(), z.number()).describe('The settings of the formula that a tuning does not choose.'),
  before: Measured.extend({ settings: RankingSettings }).describe('With the settings that the tuning began with.'),
  after: Measured.describe('With the chosen settings.'),
})
export type TuningEvidence = z.infer<typeof TuningEvidence>

export const SimilaritySettings = z.object({
  settings_version: SettingsVersion,
  is_in_force: z.boolean().describe('Whether the next version of similar products is made with them.'),
  source: z.enum(SETTINGS_SOURCES),
  made_at: z.iso.datetime(),
  made_by: z.string(),
  promoted_at: z.iso.datetime().nullable().describe('When they were last put in force; null if they never were by a call.'),
  promoted_by: z.string().nullable(),
  settings: RankingSettings,
  evidence: TuningEvidence.nullable().describe('Null for defaults.'),
})
export type SimilaritySettings = z.infer<typeof SimilaritySettings>

export const SimilaritySettingsRequest = z.strictObject({
  limit: pageLimit(50, 'Settings of the page.'),
  offset: PageOffset,
})
export type SimilaritySettingsRequest = z.infer<typeof SimilaritySettingsRequest>

export const PromoteSimilaritySettings = z.strictObject({
  settings_version: SettingsVersion,
  actor: storableText(200).describe('The caller, for the audit log.'),
  requested_by: storableText(200).optional().describe('The name of the person who wants it: recorded, not verified.'),
})
export type PromoteSimilaritySettings = z.infer<typeof PromoteSimilaritySettings>

/** Of the service Catalog. */
export const similaritySettingsHandlers = {
  PromoteSimilaritySettings: handler({
    input: PromoteSimilaritySettings,
    output: SimilaritySettings,
    isForOperators: true,
    description:
      'Puts ranking settings in force for the next version of similar products; the version that serves keeps its own. 404 if there are none of this number.',
  }),
}
