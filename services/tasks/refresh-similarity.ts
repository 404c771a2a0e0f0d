import { rpc } from '@restatedev/restate-sdk'
import { similarityRunApi } from '../../src/contract/services.ts'
import { requestDueRun } from '../../src/store/similarity/run-due.ts'
import { dropOldVersionsFor } from '../../src/store/similarity/version.ts'
import type { Task } from '../handler/deps.ts'
import { step } from '../handler/step.ts'

/** How long a step deletes old versions. */
const DROP_MS = 5_000

export const REFRESH_SIMILARITY: Task = {
  description:
    'computes similar products again after `SIMILARITY_HOURS`, for the first time when the log has 1,000 interactions, and deletes versions that runs left behind',
  everyMs: 60_000,
  isOn: () => true,
  run: async ({ background, similarity: { everyHours } }, ctx) => {
    const runId = ctx.rand.uuidv4()
    if (await step(ctx, 'request a run that is due', () => requestDueRun(background, runId, everyHours))) {
      ctx.sendClient(similarityRunApi, runId).Execute({}, rpc.sendOpts({ idempotencyKey: runId }))
    }
    while (await step(ctx, 'delete old versions', () => dropOldVersionsFor(background, DROP_MS)));
  },
}
