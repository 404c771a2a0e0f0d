import { type Cases, picked, type Stage } from '../../ranking/evaluation/cases.ts'
import { incidenceOf } from '../../ranking/evaluation/incidence.ts'
import { measure, type Result } from '../../ranking/evaluation/metrics.ts'
import { createRandom, sampleOf } from '../../ranking/evaluation/random.ts'
import { lastSeenRanker, learntFrom, popularityRanker, type Ranker } from '../../ranking/evaluation/rankers.ts'
import { isTooDense } from '../../ranking/evaluation/ridge.ts'
import { attributesOf, type Content } from '../../ranking/similarity/content.ts'
import { countContent, countSimilarity } from '../../workers/similarity-pool.ts'
import { type Chosen, CHOICES } from './methods.ts'
import { type EvaluationPlan, type Method, METHODS } from './plan.ts'
import { attributeLists, type AttributesById, readAttributes } from './read-attributes.ts'
import { type EvaluationData, readData, type ShopReader } from './read-data.ts'
import { UsageError } from '../../main/config/start-error.ts'

export interface Evaluation {
  plan: EvaluationPlan
  data: { shoppers: number; products: number; events: number }
  notes: string[]
  chosen: Chosen
  /** The other methods that the validation turned down. */
  others: Chosen[]
  /** Cases of the validation that choices asked. */
  choiceCases: number
  validation: Result
  test: Result
  refit: Result | undefined
  popularity: Result
  lastSeen: Result
}

export type OnProgress = (text: string, done: number, total: number) => void

/** Choices ask at most so many cases of the validation. */
const VALIDATION_CASES_MAX = 10_000

/** @param shop  reads the shop's own log, when no file is given. @throws StartError when a file cannot be read */
export async function runEvaluation(plan: EvaluationPlan, onProgress: OnProgress, shop = noShop): Promise<Evaluation> {
  onProgress('reading', 0, 1)
  const given = plan.attributesPath === undefined ? undefined : await readAttributes(plan.attributesPath)
  const data = await readData(plan, shop)
  const attributes = given ?? data.attributes
  const { split } = data
  const content = attributes && (await contentOf(attributes, data.products, plan.threads, onProgress))
  const asked = createAsking(plan, data, onProgress)
  const sample: Stage = { ...split.validation, cases: asked.some(split.validation.cases, VALIDATION_CASES_MAX) }
  const candidates: Chosen[] = []
  for (const method of methodsOf(plan, data)) {
    candidates.push(
      await CHOICES[method]({
        validation: sample,
        isSeenRemoved: split.isSeenRemoved,
        repeats: split.repeats,
        content,
        settings: plan.settings,
        isTuned: plan.isTuned,
        neighbours: plan.neighbours,
        count: (histories, settings) => countSimilarity(histories, settings, { threads: plan.threads }),
        scoresOf: (ranker, stage) => {
          const { ndcg, hr } = asked.ask(ranker, stage, undefined).figures[0]!
          return { ndcg: ndcg.value, hr: hr.value }
        },
        onTrial: (method, done, total) => onProgress(`validating ${method}`, done, total),
      }),
    )
  }
  const chosen = candidates.reduce((best, one) => (one.ndcg > best.ndcg ? one : best))
  const test = { ...split.test, cases: asked.some(split.test.cases, plan.casesMax) }
  const learnt = learntFrom(test.train)
  const refit = split.refit && { ...split.refit, cases: test.cases }
  return {
    plan,
    data: dataOf(data),
    notes: data.notes,
    chosen,
    others: candidates.filter((one) => one !== chosen),
    choiceCases: sample.cases.size,
    validation: asked.ask(await chosen.learn(split.validation), split.validation, 'validation'),
    test: asked.ask(await chosen.learn(test), test, 'test'),
    refit: refit && asked.ask(await chosen.learn(refit), refit, 'test, refitted'),
    popularity: asked.ask(popularityRanker(learnt, split.isSeenRemoved), test, 'baselines'),
    lastSeen: asked.ask(lastSeenRanker(learnt), test, 'baselines'),
  }
}

/** The methods to choose from. @throws UsageError when the one that was asked for cannot learn from the data */
export function methodsOf({ method }: EvaluationPlan, { split, notes }: EvaluationData): readonly Method[] {
  const wanted = method === undefined ? METHODS : [method]
  const { train } = split.refit ?? split.test
  if (!wanted.includes('ridge') || !isTooDense(incidenceOf(train))) return wanted
  const why = 'ridge is for small catalogues, and too many pairs of products have a shopper in common here'
  if (method !== undefined) throw new UsageError(`Leave out --method ridge: ${why}.`)
  notes.push(`ridge was left out: ${why}.`)
  return wanted.filter((each) => each !== 'ridge')
}

const noShop: ShopReader = async () => {
  throw new UsageError('footfall evaluate needs a file of events.')
}

async function contentOf(
  attributes: AttributesById,
  products: readonly string[],
  threads: number,
  onProgress: OnProgress,
): Promise<Content> {
  return countContent(attributesOf(attributeLists(products, attributes)), {
    threads,
    onProgress: (done, total) => onProgress('content', done, total),
  })
}

function createAsking(plan: EvaluationPlan, { parts, products }: EvaluationData, onProgress: OnProgress) {
  return {
    /** At most so many cases, which the seed determines. */
    some: (cases: Cases, casesMax: number | undefined): Cases =>
      casesMax === undefined || cases.size <= casesMax
        ? cases
        : picked(cases, sampleOf(cases.size, casesMax, createRandom(plan.seed))),
    /** @param text  shown as progress; nothing is shown without it */
    ask: (ranker: Ranker, { train, cases }: Stage, text: string | undefined): Result =>
      measure(ranker, cases, {
        ks: plan.ks,
        shoppers: parts[0]!.shoppers,
        products: products.length,
        isKnown: learntFrom(train).isKnown,
        onProgress: text === undefined ? undefined : (done, total) => onProgress(text, done, total),
      }),
  }
}

function dataOf({ parts, products }: EvaluationData): Evaluation['data'] {
  const events = parts.reduce((sum, { product }) => sum + product.length, 0)
  return { shoppers: parts[0]!.shoppers, products: products.length, events }
}
