import { HOUR_MS } from '../../src/contract/fields/time.ts'
import { dropOldCrossings } from '../../src/store/metrics/low-stock.ts'
import type { Task } from '../handler/deps.ts'
import { step } from '../handler/step.ts'

export const DROP_METRIC_HISTORY: Task = {
  description: 'deletes states of metrics 30 days after they were replaced, and crossings of low stock after 30 days',
  everyMs: HOUR_MS,
  isOn: () => true,
  run: async ({ background, metricHistory }, ctx) => {
    while ((await step(ctx, 'drop expired states', () => metricHistory(background).dropExpired())) > 0);
    while ((await step(ctx, 'drop old crossings', () => dropOldCrossings(background))) > 0);
  },
}
