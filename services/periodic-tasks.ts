import { type ObjectContext, rpc } from '@restatedev/restate-sdk'
import type { TaskName } from '../src/contract/schedule.ts'
import { HOUR_MS } from '../src/contract/time.ts'
import { catalogApi, popularityApi, type RecordedBatch } from '../src/contract/services.ts'
import { leftBehind } from '../src/store/backlog.ts'
import { comingMonths, makePartitions } from '../src/store/partition.ts'
import { dropOldMonths } from '../src/store/retention.ts'
import { rollUpSome } from '../src/store/roll-up.ts'
import { refreshRising } from '../src/store/rising.ts'
import { refreshTrending } from '../src/store/trending-window.ts'
import type { Deps, Task } from './deps.ts'

const LEFT_BEHIND_MINUTES = 5
const MONTHS_AHEAD = 2

/** Each task: how often it runs, when it is on, and what a slot does. */
export const TASKS = {
  sweep: { everyMs: 60_000, isOn: () => true, run: sweep },

  'make-partitions': {
    everyMs: HOUR_MS,
    isOn: () => true,
    run: ({ background }, ctx) =>
      step(ctx, 'make partitions', async () => makePartitions(background, await comingMonths(background, MONTHS_AHEAD))),
  },

  'refresh-popularity': {
    everyMs: HOUR_MS / 2,
    isOn: () => true,
    run: async ({ background }, ctx) => {
      await step(ctx, 'move the trending window', async () => {
        await refreshTrending(background)
      })
      const nowMs = await ctx.date.now()
      await step(ctx, 'compute what rises', () => refreshRising(background, nowMs))
    },
  },

  retention: {
    everyMs: HOUR_MS,
    isOn: ({ retentionDays }) => retentionDays !== undefined,
    // A setting may change between two attempts, and the steps may not. What it dropped, and what waits, is in the journal.
    run: async ({ background, keeping: { retentionDays } }, ctx) => {
      await step(ctx, 'drop old months', async () => retentionDays !== undefined && dropOldMonths(background, retentionDays))
    },
  },

  'roll-up': {
    everyMs: 24 * HOUR_MS,
    isOn: ({ rollUpAfterDays }) => rollUpAfterDays !== undefined,
    run: async ({ background, keeping: { rollUpAfterDays } }, ctx) => {
      const some = async () => (rollUpAfterDays === undefined ? 0 : rollUpSome(background, rollUpAfterDays))
      for (let moved = 1; moved > 0;) moved = await step(ctx, 'roll hours up', some)
    },
  },
} satisfies Record<TaskName, Task>

/** Sends on what was recorded long ago and neither counted nor fed. */
async function sweep({ background }: Deps, ctx: ObjectContext): Promise<void> {
  const batches = await step(ctx, 'find batches left behind', () => leftBehind(background, LEFT_BEHIND_MINUTES))
  const hour = Math.floor((await ctx.date.now()) / HOUR_MS)
  for (const { batchId, from, to, unscored, unfed } of batches) {
    const batch = { batch_id: batchId, from, to }
    const once = rpc.sendOpts<RecordedBatch>({ idempotencyKey: `sweep ${batchId} ${hour}` })
    if (unscored) ctx.sendClient(popularityApi).HandlePopularityEvent(batch, once)
    if (unfed) ctx.sendClient(catalogApi).AddInteraction(batch, once)
  }
}

/** A step that fails ends the attempt: Task decides when the next one is, and keeps what went wrong. */
function step<T>(ctx: ObjectContext, name: string, action: () => Promise<T>): Promise<T> {
  return ctx.run(name, action, { maxRetryAttempts: 1 })
}
