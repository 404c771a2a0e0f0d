import { SIMILARITY_DEFAULTS, type SimilaritySettings } from './settings.ts'

/** The settings of the formula that the data of a shop decide: a tuning chooses them. All others are bounds. */
export type RankingSettings = Pick<SimilaritySettings, 'alpha' | 'beta' | 'gamma' | 'rho' | 'kappa' | 'contentFactor'> & {
  /** λ of the score: the weight of each event of a history relative to the one after it. */
  decay: number
}

export const RANKING_DEFAULTS: RankingSettings = rankingOf({ ...SIMILARITY_DEFAULTS, decay: 0.6 })

/** Without other settings. */
export function rankingOf({ alpha, beta, gamma, rho, kappa, contentFactor, decay }: RankingSettings): RankingSettings {
  return { alpha, beta, gamma, rho, kappa, contentFactor, decay }
}
