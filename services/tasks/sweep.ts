import { type ObjectContext, rpc } from '@restatedev/restate-sdk'
import type { RecordedBatch } from '../../src/contract/recorded-batch.ts'
import { catalogApi, popularityApi } from '../../src/contract/services.ts'
import { HOUR_MS } from '../../src/contract/fields/time.ts'
import { leftBehind } from '../../src/store/log/backlog.ts'
import type { Deps, Task } from '../handler/deps.ts'
import { step } from '../handler/step.ts'

const LEFT_BEHIND_MINUTES = 5

export const SWEEP: Task = {
  description: 'sends on batches that were left behind',
  everyMs: 60_000,
  isOn: () => true,
  run: sweep,
}

/** Sends batches again that were recorded minutes ago and are not counted or not fed. */
async function sweep({ background }: Deps, ctx: ObjectContext): Promise<void> {
  const batches = await step(ctx, 'find batches left behind', async () => {
    const found = await leftBehind(background, LEFT_BEHIND_MINUTES)
    // The journal keeps the name that the release before gave it.
    return found.map(({ uncounted, ...batch }) => ({ ...batch, unscored: uncounted }))
  })
  const hour = Math.floor((await ctx.date.now()) / HOUR_MS)
  for (const { batchId, from, to, unscored, unfed } of batches) {
    const batch = { batch_id: batchId, from, to }
    const oncePerHour = rpc.sendOpts<RecordedBatch>({ idempotencyKey: `sweep ${batchId} ${hour}` })
    if (unscored) ctx.sendClient(popularityApi).HandlePopularityEvent(batch, oncePerHour)
    if (unfed) ctx.sendClient(catalogApi).AddInteraction(batch, oncePerHour)
  }
}
