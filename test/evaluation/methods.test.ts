import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { wholeTrain } from '../../src/ranking/evaluation/cases.ts'
import { createEngine, ENGINE_DEFAULTS, type EngineSettings } from '../../src/ranking/evaluation/engine.ts'
import { incidenceOf } from '../../src/ranking/evaluation/incidence.ts'
import { jaccardRows } from '../../src/ranking/evaluation/jaccard.ts'
import { lastSeenRanker, learntFrom, popularityRanker, scoreRanker } from '../../src/ranking/evaluation/rankers.ts'
import { ridgeRows } from '../../src/ranking/evaluation/ridge.ts'
import { trialsOf, tune } from '../../src/ranking/evaluation/tuning.ts'
import type { SimilarityRows } from '../../src/ranking/recommend/score.ts'
import { similarityOf } from '../../src/ranking/similarity/matrix.ts'
import { lists, PRODUCTS, sequencesOf } from './arbitrary.ts'

const incidence = (lists: number[][]) => incidenceOf(wholeTrain(sequencesOf(lists)))

/** The weight of each source for each target, 0 where there is none. */
function dense(rows: SimilarityRows): number[][] {
  return Array.from({ length: PRODUCTS }, (_, source) => {
    const { neighbours, scores } = rows.row(source)!
    const weights = new Array<number>(PRODUCTS).fill(0)
    neighbours.forEach((target, at) => (weights[target] = scores[at]!))
    return weights
  })
}

const shoppersOf = (lists: number[][], product: number) =>
  lists.flatMap((list, shopper) => (list.includes(product) ? shopper : []))
const numbers = Array.from({ length: PRODUCTS }, (_, product) => product)

test('jaccard gives each target its nearest neighbours', () => {
  fc.assert(
    fc.property(lists, fc.integer({ min: 1, max: PRODUCTS }), (lists, neighbours) => {
      const expected = numbers.map(() => new Array<number>(PRODUCTS).fill(0))
      for (const target of numbers) {
        const own = shoppersOf(lists, target)
        const all = numbers
          .filter((source) => source !== target)
          .map((source) => {
            const others = shoppersOf(lists, source)
            const both = own.filter((shopper) => others.includes(shopper)).length
            return { source, jaccard: Math.fround(both / (own.length + others.length - both)) }
          })
          .filter(({ jaccard }) => jaccard > 0)
        for (const { source, jaccard } of all.sort((a, b) => b.jaccard - a.jaccard || a.source - b.source).slice(0, neighbours)) {
          expected[source]![target] = jaccard
        }
      }
      expect(dense(jaccardRows(incidence(lists), neighbours))).toEqual(expected)
    }),
  )
})

describe('ridge', () => {
  /** Σ over shoppers of (x_target − Σ w x_source) x_source − λ w is 0 for the least squares with a penalty. */
  function gradients(
    lists: number[][],
    lambda: number,
    weights: number[][],
  ): { source: number; target: number; gradient: number }[] {
    return numbers.flatMap((target) =>
      numbers
        .filter((source) => source !== target)
        .map((source) => {
          let gradient = -lambda * weights[source]![target]!
          for (const list of lists) {
            if (!list.includes(source)) continue
            const predicted = numbers.reduce((sum, other) => sum + (list.includes(other) ? weights[other]![target]! : 0), 0)
            gradient += (list.includes(target) ? 1 : 0) - predicted
          }
          return { source, target, gradient }
        }),
    )
  }

  test('of a small catalogue is the exact minimum', () => {
    fc.assert(
      fc.property(lists, fc.constantFrom(0.5, 3, 100), (lists, lambda) => {
        const weights = dense(ridgeRows(incidence(lists), { lambda, sourcesMax: PRODUCTS }))
        for (const { gradient } of gradients(lists, lambda, weights)) expect(gradient).toBeCloseTo(0, 4)
      }),
    )
  })

  test('with few sources is the minimum over these sources', () => {
    fc.assert(
      fc.property(lists, fc.constantFrom(0.5, 3, 100), fc.integer({ min: 1, max: PRODUCTS - 2 }), (lists, lambda, sourcesMax) => {
        const weights = dense(ridgeRows(incidence(lists), { lambda, sourcesMax }))
        for (const { source, target, gradient } of gradients(lists, lambda, weights)) {
          if (weights[source]![target] !== 0) expect(gradient).toBeCloseTo(0, 4)
        }
        for (const target of numbers)
          expect(numbers.filter((source) => weights[source]![target] !== 0).length).toBeLessThanOrEqual(sourcesMax)
      }),
    )
  })
})

describe('a ranking', () => {
  const train = wholeTrain(sequencesOf([[0, 1], [0, 1], [0, 2], [3]]))
  const rows = () =>
    createEngine(train, undefined, async (histories, settings) => similarityOf(histories, settings))(ENGINE_DEFAULTS)

  test('puts popular products after those with a score, and leaves out the history', async () => {
    const ranker = scoreRanker(await rows(), ENGINE_DEFAULTS, learntFrom(train), true)
    expect(ranker(Int32Array.of(2, 0), 10)).toEqual([1, 3])
    expect(ranker(Int32Array.of(0), 2)).toEqual([1, 2])
  })

  test('names only products that were learnt from, by each method', async () => {
    const small = wholeTrain(sequencesOf([[0, 1, 2], [1, 2], [3]]))
    const learnt = learntFrom(small)
    const engine = createEngine(small, undefined, async (histories, settings) => similarityOf(histories, settings))
    const all = [
      scoreRanker(await engine(ENGINE_DEFAULTS), ENGINE_DEFAULTS, learnt, true),
      scoreRanker(jaccardRows(incidenceOf(small)), ENGINE_DEFAULTS, learnt, true),
      ...[PRODUCTS, 2].map((sourcesMax) =>
        scoreRanker(ridgeRows(incidenceOf(small), { lambda: 1, sourcesMax }), ENGINE_DEFAULTS, learnt, true),
      ),
      popularityRanker(learnt, true),
    ]
    for (const ranker of all) expect(ranker(Int32Array.of(0, 5), 10).toSorted((a, b) => a - b)).toEqual([1, 2, 3])
    expect(lastSeenRanker(learnt)(Int32Array.of(0, 5), 10)).toEqual([0])
  })

  test('keeps the history where products come back', async () => {
    expect(scoreRanker(await rows(), ENGINE_DEFAULTS, learntFrom(train), false)(Int32Array.of(0), 3)).toEqual([1, 2, 0])
  })

  test('by popularity, and by what was last seen', () => {
    expect(popularityRanker(learntFrom(train), true)(Int32Array.of(0), 3)).toEqual([1, 2, 3])
    expect(popularityRanker(learntFrom(train), false)(Int32Array.of(0), 10)).toEqual([0, 1, 2, 3])
    expect(lastSeenRanker(learntFrom(train))(Int32Array.of(1, 7, 2, 1, 3), 3)).toEqual([3, 1, 2])
  })
})

test('a matrix is counted again only for settings that it depends on', async () => {
  let counted = 0
  const engine = createEngine(wholeTrain(sequencesOf([[0, 1, 2]])), undefined, async (histories, settings) => {
    counted += 1
    return similarityOf(histories, settings)
  })
  await engine(ENGINE_DEFAULTS)
  await engine({ ...ENGINE_DEFAULTS, decay: 0.9, contentFactor: 0 })
  await engine({ ...ENGINE_DEFAULTS, rho: 1 })
  expect(counted).toBe(2)
})

describe('tuning', () => {
  const scores = (wanted: Partial<EngineSettings>, gain: number) => async (settings: EngineSettings) => {
    const matches = Object.entries(wanted).filter(([name, value]) => settings[name as keyof EngineSettings] === value)
    return { ndcg: 0.1 * (1 + gain) ** matches.length, hr: 0.2 }
  }

  test('finds the best value of each setting', async () => {
    const wanted = { decay: 0.9, rho: 1, beta: 0.4, contentFactor: 0.75 }
    const { settings, trials } = await tune(ENGINE_DEFAULTS, { hasContent: true, scoresOf: scores(wanted, 0.05) })
    expect(settings).toEqual({ ...ENGINE_DEFAULTS, ...wanted })
    expect(trials.length).toBe(trialsOf(ENGINE_DEFAULTS, true))
  })

  test('keeps the given settings when the best ones gain 2 % or less', async () => {
    const { settings } = await tune(ENGINE_DEFAULTS, { hasContent: false, scoresOf: scores({ decay: 0.9 }, 0.02) })
    expect(settings).toEqual(ENGINE_DEFAULTS)
  })
})
