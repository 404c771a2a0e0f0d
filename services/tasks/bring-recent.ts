import { bringRecentFor } from '../../src/store/shoppers/bring-recent.ts'
import type { Task } from '../handler/deps.ts'
import { step } from '../handler/step.ts'

/** How long a step works at least. */
const STEP_MS = 1_000
/** A slot works for about a third of a minute, so that most of the database's time is left. The next slot continues. */
const STEPS_MAX = 20

export const BRING_RECENT: Task = {
  description:
    'brings events that a release before fed to the recent events of shoppers: at first those of the whole log, from the newest batch to the oldest',
  everyMs: 60_000,
  isOn: () => true,
  run: async ({ background }, ctx) => {
    for (let steps = 1; steps <= STEPS_MAX; steps++) {
      if (await step(ctx, 'bring recent events', () => bringRecentFor(background, STEP_MS))) return
    }
  },
}
