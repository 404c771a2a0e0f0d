import type { MetricHistory } from '../../contract/metric-history.ts'
import type { Database } from '../database/connection.ts'
import { FOLD_DELTAS_MAX, foldDeltas } from './fold.ts'
import { recordStates } from './record-states.ts'

/** A slot ends after so many statements of a kind, and the next one continues. */
const ROUNDS_MAX = 20

/** Folds the deltas that wait. */
export async function foldMetrics(db: Database): Promise<void> {
  for (let rounds = 0; rounds < ROUNDS_MAX && (await foldDeltas(db)) === FOLD_DELTAS_MAX; rounds++);
}

/** Adds the states of the keys that are due to the history. */
export async function recordMetrics(db: Database, history: MetricHistory): Promise<void> {
  for (let rounds = 0; rounds < ROUNDS_MAX && (await recordStates(db, history)) > 0; rounds++);
}
