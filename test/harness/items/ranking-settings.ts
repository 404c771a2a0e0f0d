import type { TuningEvidence } from '../../../src/contract/similarity-settings.ts'
import { RANKING_DEFAULTS, type RankingSettings } from '../../../src/ranking/similarity/ranking-settings.ts'
import type { Database } from '../../../src/store/database/connection.ts'
import { addRankingSettings } from '../../../src/store/similarity/ranking-settings.ts'

export const EVIDENCE: TuningEvidence = {
  ...{ data: 'log', protocol: 'time-split', seed: 1, shoppers: 2, products: 3, events: 40, cases: 5, k: 10, trials: 2 },
  bounds: { window: 20 },
  before: { settings: RANKING_DEFAULTS, ndcg: 0.1, hr: 0.2 },
  after: { ndcg: 0.15, hr: 0.25 },
}

/** Ranking settings as a tuning adds them. @returns their number */
export function addTuned(db: Database, changes: Partial<RankingSettings>): Promise<number> {
  return addRankingSettings(db, { actor: 'tuner', settings: { ...RANKING_DEFAULTS, ...changes }, evidence: EVIDENCE })
}
