import type { EngineSettings } from './engine.ts'

type Axis = readonly [keyof EngineSettings, readonly number[]]

/** What is tried, one setting after the other, each with the best value of the ones before. */
export const AXES: readonly Axis[] = [
  ['decay', [0.5, 0.6, 0.7, 0.8, 0.9]],
  ['rho', [0.3, 1]],
  ['gamma', [0.5, 1]],
  ['beta', [0.1, 0.2, 0.4]],
  ['kappa', [0, 1, 4]],
  ['contentFactor', [0, 0.25, 0.5, 0.75]],
]

/** Settings that are better by less may be so by chance. */
const GAIN_MIN = 0.02

/** On the validation. */
export interface Scores {
  ndcg: number
  hr: number
}

export interface Trial extends Scores {
  settings: EngineSettings
}

export interface Tuned {
  /** The given settings, unless others are better by 2 %. */
  settings: EngineSettings
  /** The given ones first. */
  trials: Trial[]
}

/** Coordinate descent on the validation: the test is never asked. */
export async function tune(
  given: EngineSettings,
  { hasContent, scoresOf }: { hasContent: boolean; scoresOf: (settings: EngineSettings) => Promise<Scores> },
): Promise<Tuned> {
  const first = { settings: given, ...(await scoresOf(given)) }
  const trials = [first]
  let best = first
  for (const [name, values] of AXES) {
    if (name === 'contentFactor' && !hasContent) continue
    const from = best.settings
    for (const value of values) {
      if (value === from[name]) continue
      const settings = { ...from, [name]: value }
      const trial = { settings, ...(await scoresOf(settings)) }
      trials.push(trial)
      if (trial.ndcg > best.ndcg) best = trial
    }
  }
  return { settings: best.ndcg > first.ndcg * (1 + GAIN_MIN) ? best.settings : given, trials }
}

/** How many evaluations a tuning takes. */
export function trialsOf(given: EngineSettings, hasContent: boolean): number {
  return AXES.filter(([name]) => name !== 'contentFactor' || hasContent).reduce(
    (sum, [name, values]) => sum + values.filter((value) => value !== given[name]).length,
    1,
  )
}
