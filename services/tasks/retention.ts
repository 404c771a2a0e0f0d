import { HOUR_MS } from '../../src/contract/fields/time.ts'
import { dropOldMonths } from '../../src/store/log/retention.ts'
import { sweepRecent } from '../../src/store/shoppers/sweep-recent.ts'
import type { Task } from '../handler/deps.ts'
import { step } from '../handler/step.ts'

export const RETENTION: Task = {
  description: 'drops months of the log that ended more than `RETENTION_DAYS` ago; off without the setting',
  everyMs: HOUR_MS,
  isOn: ({ retentionDays }) => retentionDays !== undefined,
  // The setting is checked inside the step, because it may change between two attempts and the steps of a journal may not. The step's
  // result puts into the journal which months it dropped and which wait.
  run: async ({ background, retention: { retentionDays } }, ctx) => {
    await step(ctx, 'drop old months', async () => retentionDays !== undefined && dropOldMonths(background, retentionDays))
    await step(ctx, 'drop old recent events', () => sweepRecent(background))
  },
}
