import { dropCountedCalls, foldIngest } from '../../src/store/log/ingest.ts'
import { dropTraces } from '../../src/store/log/recorded-call.ts'
import type { Task } from '../handler/deps.ts'
import { step } from '../handler/step.ts'

export const FOLD_INGEST: Task = {
  description: 'adds what came in to the counts of its hour',
  everyMs: 5_000,
  isOn: () => true,
  run: async ({ background }, ctx) => {
    while (await step(ctx, 'fold what came in', () => foldIngest(background)));
    while (await step(ctx, 'forget counted calls', () => dropCountedCalls(background)));
    while (await step(ctx, 'forget traces of calls', () => dropTraces(background)));
  },
}
