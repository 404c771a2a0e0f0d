import { recordMetrics } from '../../src/store/metrics/fold-metrics.ts'
import type { Task } from '../handler/deps.ts'
import { step } from '../handler/step.ts'

/** A task of its own, so that deltas are folded while the history does not answer. */
export const RECORD_METRICS: Task = {
  description: 'adds metrics that changed to their history, at most once a minute per seller, category and low stock',
  everyMs: 5_000,
  isOn: () => true,
  run: async ({ background, metricHistory }, ctx) => {
    await step(ctx, 'record the metrics', () => recordMetrics(background, metricHistory(background)))
  },
}
