import { HOUR_MS } from '../../src/contract/fields/time.ts'
import { dropOldIgnored, dropOldRejected } from '../../src/store/log/rejected-drop.ts'
import type { Task } from '../handler/deps.ts'
import { step } from '../handler/step.ts'

export const DROP_REJECTED: Task = {
  description:
    'deletes rejected events that are older than `REJECTED_DAYS`, replayed ones too, and ignored webhooks that are older than `IGNORED_WEBHOOK_DAYS`',
  everyMs: HOUR_MS,
  isOn: () => true,
  run: async ({ background, retention: { rejectedDays, ignoredWebhookDays } }, ctx) => {
    let dropped: number
    do dropped = await step(ctx, 'drop old rejected events', () => dropOldRejected(background, rejectedDays))
    while (dropped > 0)
    if (ignoredWebhookDays < rejectedDays)
      await step(ctx, 'drop old ignored webhooks', () => dropOldIgnored(background, ignoredWebhookDays))
  },
}
