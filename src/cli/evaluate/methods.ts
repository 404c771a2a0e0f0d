import type { Stage } from '../../ranking/evaluation/cases.ts'
import { type CountMatrix, createEngine, type EngineSettings } from '../../ranking/evaluation/engine.ts'
import { type Incidence, incidenceOf } from '../../ranking/evaluation/incidence.ts'
import { jaccardRows } from '../../ranking/evaluation/jaccard.ts'
import { learntFrom, type Ranker, scoreRanker } from '../../ranking/evaluation/rankers.ts'
import { INVERSE_PRODUCTS_MAX, ridgeRows, type RidgeSettings } from '../../ranking/evaluation/ridge.ts'
import { type Scores, trialsOf, tune, type Tuned } from '../../ranking/evaluation/tuning.ts'
import type { ScoreSettings } from '../../ranking/recommend/score.ts'
import type { Content } from '../../ranking/similarity/content.ts'
import type { Method } from './plan.ts'

/** A method with settings that the validation chose. */
export interface Chosen {
  method: Method
  settings: object
  /** NDCG on the sample of the validation. */
  ndcg: number
  /** What was tried for it, with the figures on the validation. */
  trials: (Scores & { settings: object })[]
  /** Of a tuning of the ranking that serves. */
  tuned?: Tuned | undefined
  /** Learns from a stage. */
  learn: (stage: Stage) => Promise<Ranker>
}

export interface ChoiceOptions {
  validation: Stage
  isSeenRemoved: boolean
  repeats: boolean
  content: Content | undefined
  settings: EngineSettings
  isTuned: boolean
  neighbours: number
  count: CountMatrix
  scoresOf: (ranker: Ranker, stage: Stage) => Scores
  onTrial: (method: Method, done: number, total: number) => void
}

const WHOLE_HISTORY: ScoreSettings = { decay: 1, historyMax: Infinity }

const LAMBDAS = [30, 100, 300, 1_000]
const SOURCES = [50, 100, 200]

export const CHOICES: Record<Method, (options: ChoiceOptions) => Promise<Chosen>> = {
  cooccurrence: chooseCooccurrence,
  jaccard: chooseJaccard,
  ridge: chooseRidge,
}

async function chooseCooccurrence(options: ChoiceOptions): Promise<Chosen> {
  const { validation, content, count, isSeenRemoved, isTuned, onTrial } = options
  const given = { ...options.settings, repeats: options.repeats }
  const ranker = async (stage: Stage, settings: EngineSettings, engine = createEngine(stage.train, content, count)) =>
    scoreRanker(await engine(settings), settings, learntFrom(stage.train), isSeenRemoved)
  const engine = createEngine(validation.train, content, count)
  const hasContent = content !== undefined
  const total = isTuned ? trialsOf(given, hasContent) : 1
  let done = 0
  const scoresOf = async (settings: EngineSettings) => {
    onTrial('cooccurrence', done++, total)
    return options.scoresOf(await ranker(validation, settings, engine), validation)
  }
  const tuned = isTuned ? await tune(given, { hasContent, scoresOf }) : undefined
  const { settings, trials } = tuned ?? { settings: given, trials: [{ settings: given, ...(await scoresOf(given)) }] }
  return {
    method: 'cooccurrence',
    settings,
    ndcg: trials.find((trial) => trial.settings === settings)!.ndcg,
    trials,
    tuned,
    learn: (stage) => ranker(stage, settings),
  }
}

async function chooseJaccard({ validation, isSeenRemoved, neighbours, scoresOf, onTrial }: ChoiceOptions): Promise<Chosen> {
  const ranker = ({ train }: Stage): Ranker =>
    scoreRanker(jaccardRows(incidenceOf(train), neighbours), WHOLE_HISTORY, learntFrom(train), isSeenRemoved)
  onTrial('jaccard', 0, 1)
  const settings = { neighbours }
  const scores = scoresOf(ranker(validation), validation)
  return {
    method: 'jaccard',
    settings,
    ndcg: scores.ndcg,
    trials: [{ settings, ...scores }],
    learn: async (stage) => ranker(stage),
  }
}

async function chooseRidge({ validation, isSeenRemoved, scoresOf, onTrial }: ChoiceOptions): Promise<Chosen> {
  const ranker = (stage: Stage, incidence: Incidence, settings: RidgeSettings): Ranker =>
    scoreRanker(ridgeRows(incidence, settings), WHOLE_HISTORY, learntFrom(stage.train), isSeenRemoved)
  const incidence = incidenceOf(validation.train)
  const sources = incidence.products <= INVERSE_PRODUCTS_MAX ? [incidence.products] : SOURCES
  const grid = sources.flatMap((sourcesMax) => LAMBDAS.map((lambda) => ({ lambda, sourcesMax })))
  const trials = grid.map((settings, at) => {
    onTrial('ridge', at, grid.length)
    return { settings, ...scoresOf(ranker(validation, incidence, settings), validation) }
  })
  const best = trials.reduce((best, trial) => (trial.ndcg > best.ndcg ? trial : best))
  return {
    method: 'ridge',
    settings: best.settings,
    ndcg: best.ndcg,
    trials,
    learn: async (stage) => ranker(stage, incidenceOf(stage.train), best.settings),
  }
}
