import { HOUR_MS } from '../../src/contract/fields/time.ts'
import type { Task } from '../handler/deps.ts'
import { step } from '../handler/step.ts'

export const ARCHIVE_METRICS: Task = {
  description:
    'writes the metrics of the catalog to the archive, once a day in UTC and once there are products; nothing with `ARCHIVE_METRICS=off`',
  // Hourly, so that a day whose first attempts failed gets its file.
  everyMs: HOUR_MS,
  isOn: () => true,
  run: async ({ archiveMetrics }, ctx) => {
    const nowMs = await ctx.date.now()
    // The setting is checked inside the step, as in retention.
    await step(ctx, 'archive the metrics', async () => archiveMetrics !== undefined && (await archiveMetrics(nowMs)))
  },
}
