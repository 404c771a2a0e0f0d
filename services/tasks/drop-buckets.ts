import { HOUR_MS } from '../../src/contract/fields/time.ts'
import { dropOldBuckets } from '../../src/store/reports/report-refresh.ts'
import type { Task } from '../handler/deps.ts'
import { step } from '../handler/step.ts'

export const DROP_BUCKETS: Task = {
  description: 'drops buckets that are older than their report keeps them',
  everyMs: HOUR_MS,
  isOn: () => true,
  run: ({ background }, ctx) => step(ctx, 'drop old buckets', () => dropOldBuckets(background)),
}
