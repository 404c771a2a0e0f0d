import { basename } from 'node:path'
import type { TuningEvidence } from '../../contract/similarity-settings.ts'
import type { EngineSettings } from '../../ranking/evaluation/engine.ts'
import { type RankingSettings, rankingOf } from '../../ranking/similarity/ranking-settings.ts'
import type { Evaluation } from './run.ts'

export interface TunedSettings {
  settings: RankingSettings
  evidence: TuningEvidence
}

/** What a tuning chose for the ranking that serves, with its proof; undefined unless it is better than what the tuning began with. */
export function tunedOf({ plan, data, choiceCases, chosen, others }: Evaluation): TunedSettings | undefined {
  const tuned = [chosen, ...others].find((each) => each.tuned !== undefined)?.tuned
  const before = tuned?.trials[0]
  const after = tuned?.trials.find(({ settings }) => settings === tuned.settings)
  if (tuned === undefined || before === undefined || after === undefined || after === before) return undefined
  const evidence = {
    data: plan.trainPath === undefined ? 'log' : basename(plan.trainPath),
    ...{ protocol: plan.protocol, seed: plan.seed, ...data },
    ...{ cases: choiceCases, k: plan.ks[0]!, trials: tuned.trials.length, bounds: boundsOf(before.settings) },
    before: { settings: rankingOf(before.settings), ndcg: before.ndcg, hr: before.hr },
    after: { ndcg: after.ndcg, hr: after.hr },
  }
  return { settings: rankingOf(after.settings), evidence }
}

function boundsOf(settings: EngineSettings): Record<string, number> {
  const { window, neighboursMax, shopperEventsMax, productEventsMax, botEventsPerDay, historyMax } = settings
  return { window, neighboursMax, shopperEventsMax, productEventsMax, botEventsPerDay, historyMax }
}
