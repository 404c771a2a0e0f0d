import { DAY_MS } from '../../src/contract/fields/time.ts'
import { rollUpSome } from '../../src/store/popularity/roll-up.ts'
import type { Task } from '../handler/deps.ts'
import { step } from '../handler/step.ts'

export const ROLL_UP: Task = {
  description: 'makes days of hours older than `ROLL_UP_AFTER_DAYS`; off without the setting',
  everyMs: DAY_MS,
  isOn: ({ rollUpAfterDays }) => rollUpAfterDays !== undefined,
  run: async ({ background, retention: { rollUpAfterDays } }, ctx) => {
    const rollUp = async () => (rollUpAfterDays === undefined ? 0 : rollUpSome(background, rollUpAfterDays))
    let moved: number
    do moved = await step(ctx, 'roll hours up', rollUp)
    while (moved > 0)
  },
}
