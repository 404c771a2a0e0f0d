import { HOUR_MS } from '../../src/contract/fields/time.ts'
import { dropOldRejected } from '../../src/store/log/rejected-drop.ts'
import type { Task } from '../handler/deps.ts'
import { step } from '../handler/step.ts'

export const DROP_REJECTED: Task = {
  description: 'deletes rejected events that are older than `REJECTED_DAYS`, replayed ones too',
  everyMs: HOUR_MS,
  isOn: () => true,
  run: async ({ background, retention: { rejectedDays } }, ctx) => {
    let dropped: number
    do dropped = await step(ctx, 'drop old rejected events', () => dropOldRejected(background, rejectedDays))
    while (dropped > 0)
  },
}
