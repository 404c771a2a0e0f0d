import { foldMetrics } from '../../src/store/metrics/fold-metrics.ts'
import type { Task } from '../handler/deps.ts'
import { step } from '../handler/step.ts'

export const FOLD_METRICS: Task = {
  description: 'adds what changed in the catalog to the metrics of sellers, categories and low stock',
  everyMs: 1_000,
  isOn: () => true,
  run: async ({ background }, ctx) => {
    await step(ctx, 'fold the metrics', () => foldMetrics(background))
  },
}
