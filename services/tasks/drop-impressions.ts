import { HOUR_MS } from '../../src/contract/fields/time.ts'
import { dropOldImpressions } from '../../src/store/recommendations/impressions.ts'
import type { Task } from '../handler/deps.ts'
import { step } from '../handler/step.ts'

export const DROP_IMPRESSIONS: Task = {
  description: 'deletes impressions of recommendations that are older than `IMPRESSION_DAYS`',
  everyMs: HOUR_MS,
  isOn: () => true,
  run: async ({ background, retention: { impressionDays } }, ctx) => {
    let dropped: number
    do dropped = await step(ctx, 'drop old impressions', () => dropOldImpressions(background, impressionDays))
    while (dropped > 0)
  },
}
