import { HOUR_MS } from '../../src/contract/fields/time.ts'
import { dropOldCrossings } from '../../src/store/metrics/low-stock.ts'
import { dropExpiredStates } from '../../src/store/metrics/postgres-history.ts'
import type { Task } from '../handler/deps.ts'
import { step } from '../handler/step.ts'

export const DROP_METRIC_HISTORY: Task = {
  description:
    'deletes states of metrics in PostgreSQL 30 days after they were replaced, and crossings of low stock after 30 days',
  everyMs: HOUR_MS,
  isOn: () => true,
  run: async ({ background }, ctx) => {
    while ((await step(ctx, 'drop expired states', () => dropExpiredStates(background))) > 0);
    while ((await step(ctx, 'drop old crossings', () => dropOldCrossings(background))) > 0);
  },
}
