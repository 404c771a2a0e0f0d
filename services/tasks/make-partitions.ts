import { HOUR_MS } from '../../src/contract/fields/time.ts'
import { comingMonths, makePartitions } from '../../src/store/log/month.ts'
import type { Task } from '../handler/deps.ts'
import { step } from '../handler/step.ts'

const MONTHS_AHEAD = 2

export const MAKE_PARTITIONS: Task = {
  description: 'makes the months of the log that come next',
  everyMs: HOUR_MS,
  isOn: () => true,
  run: ({ background }, ctx) =>
    step(ctx, 'make partitions', async () => makePartitions(background, await comingMonths(background, MONTHS_AHEAD))),
}
