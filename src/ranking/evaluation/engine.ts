import { rowsOfMatrix } from '../recommend/matrix-rows.ts'
import { SCORE_DEFAULTS, type ScoreSettings, type SimilarityRows } from '../recommend/score.ts'
import type { Content } from '../similarity/content.ts'
import { createHistoryBuilder, type Histories } from '../similarity/histories.ts'
import type { Matrix } from '../similarity/matrix.ts'
import { SIMILARITY_DEFAULTS, type SimilaritySettings } from '../similarity/settings.ts'
import type { Train } from './cases.ts'

/** All settings of the ranking that serves. */
export type EngineSettings = SimilaritySettings & ScoreSettings

export const ENGINE_DEFAULTS: EngineSettings = { ...SIMILARITY_DEFAULTS, ...SCORE_DEFAULTS }

/** Counts a matrix, e.g. in threads. */
export type CountMatrix = (histories: Histories, settings: SimilaritySettings) => Promise<Matrix>

/** The matrix that serving would have. Files have no days, so no shopper is left out as a robot. */
export function historiesOf({ sequences, length }: Train, settings: SimilaritySettings): Histories {
  const { start, product, time, shoppers, products } = sequences
  const events: { shopper: number; event: number }[] = []
  for (let shopper = 0; shopper < shoppers; shopper++) {
    for (let event = start[shopper]!; event < start[shopper]! + length[shopper]!; event++) events.push({ shopper, event })
  }
  if (time !== undefined) events.sort((a, b) => time[a.event]! - time[b.event]! || a.event - b.event)
  const builder = createHistoryBuilder('oldest first', settings)
  for (const { shopper, event } of events) builder.add(shopper, product[event]!)
  return builder.finish(products)
}

const MATRIX_SETTINGS = [
  'alpha',
  'beta',
  'gamma',
  'rho',
  'kappa',
  'window',
  'neighboursMax',
  'shopperEventsMax',
  'productEventsMax',
  'repeats',
] as const satisfies readonly (keyof SimilaritySettings)[]

/** Gives the rows for settings; a matrix is counted only when a setting of it changes. */
export function createEngine(
  train: Train,
  content: Content | undefined,
  count: CountMatrix,
): (settings: EngineSettings) => Promise<SimilarityRows> {
  const matrices = new Map<string, Promise<Matrix>>()
  return async (settings) => {
    const key = JSON.stringify(MATRIX_SETTINGS.map((name) => settings[name]))
    let matrix = matrices.get(key)
    if (matrix === undefined) {
      matrix = count(historiesOf(train, settings), settings)
      // The last one is enough for settings that only the score reads.
      matrices.clear()
      matrices.set(key, matrix)
    }
    return rowsOfMatrix(await matrix, content, settings)
  }
}
