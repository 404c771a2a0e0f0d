import { HOUR_MS } from '../../src/contract/fields/time.ts'
import { dropOldMonths } from '../../src/store/log/retention.ts'
import { sweepRecent } from '../../src/store/shoppers/sweep-recent.ts'
import type { Task } from '../handler/deps.ts'
import { step } from '../handler/step.ts'

export const RETENTION: Task = {
  description:
    'drops months of the log that ended more than `RETENTION_DAYS` ago, with `ARCHIVE_LOG=on` after archiving them; off without the setting',
  everyMs: HOUR_MS,
  isOn: ({ retentionDays }) => retentionDays !== undefined,
  // The setting is checked inside the step, because it may change between two attempts and the steps of a journal may not. The step's
  // result puts into the journal which months it dropped and which wait.
  run: async ({ background, archive, retention: { retentionDays } }, ctx) => {
    // An archive takes several steps, because a step should not take longer than a few minutes.
    for (let isArchiving = true; isArchiving;) {
      const result = await step(
        ctx,
        'drop old months',
        async () => retentionDays !== undefined && dropOldMonths(background, retentionDays, archive),
      )
      isArchiving = result !== false && result.isArchiving === true
    }
    await step(ctx, 'drop old recent events', () => sweepRecent(background))
  },
}
