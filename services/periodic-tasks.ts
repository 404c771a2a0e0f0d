import { CancelledError, type ObjectContext, rpc, TerminalError } from '@restatedev/restate-sdk'
import type { TaskName } from '../src/contract/schedule.ts'
import { HOUR_MS } from '../src/contract/time.ts'
import { catalogApi, popularityApi, type RecordedBatch, recomputeRunApi } from '../src/contract/services.ts'
import { leftBehind } from '../src/store/backlog.ts'
import { comingMonths, makePartitions } from '../src/store/partition.ts'
import { silentRuns } from '../src/store/recompute-run.ts'
import { dirtyRuns, dropOldBuckets, runDue, scheduledRuns } from '../src/store/report-refresh.ts'
import { dropOldMonths } from '../src/store/retention.ts'
import { rollUpSome } from '../src/store/roll-up.ts'
import { refreshRising } from '../src/store/rising.ts'
import { refreshTrending } from '../src/store/trending-window.ts'
import type { Deps, Task } from './deps.ts'

const LEFT_BEHIND_MINUTES = 5
const MONTHS_AHEAD = 2
/** A report that goes on getting events is refreshed in every other slot; the first of them is in it after 35 s, and the work. */
const REFRESH_EVERY_MS = 15_000
const REFRESH_QUIET_MS = 20_000
/** Of a slot, so that late events do not wait until everything there ever was is built. */
const SCHEDULED_MAX = 12
const SILENT_MS = 5 * 60_000

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

  'refresh-reports': { everyMs: REFRESH_EVERY_MS, isOn: () => true, run: refreshReports },

  'watch-runs': { everyMs: 60_000, isOn: () => true, run: watchRuns(SILENT_MS) },

  'drop-buckets': {
    everyMs: HOUR_MS,
    isOn: () => true,
    run: ({ background }, ctx) => step(ctx, 'drop old buckets', () => dropOldBuckets(background)),
  },
} satisfies Record<TaskName, Task>

/** What got late events first, and then what was never built. What fails is no reason to leave out the others. */
async function refreshReports({ background }: Deps, ctx: ObjectContext): Promise<void> {
  const dirty = await step(ctx, 'find what got events', () => dirtyRuns(background, REFRESH_QUIET_MS))
  const scheduled = await step(ctx, 'find what was never built', async () =>
    (await scheduledRuns(background)).slice(0, SCHEDULED_MAX),
  )
  let failure: TerminalError | undefined
  for (const run of [...dirty, ...scheduled]) {
    const runId = ctx.rand.uuidv4()
    try {
      await step(ctx, `rebuild ${run.report} by ${run.window}`, () => runDue(background, runId, run))
    } catch (error) {
      if (!(error instanceof TerminalError) || error instanceof CancelledError) throw error
      failure = error
    }
  }
  if (failure !== undefined) throw failure
}

/** Ends the runs that nobody works on any more: whoever works on one holds its key, and Abandon waits for that. */
export function watchRuns(silentMs: number) {
  return async ({ background }: Deps, ctx: ObjectContext): Promise<void> => {
    const silent = await step(ctx, 'find silent runs', () => silentRuns(background, silentMs))
    for (const runId of silent) {
      ctx.sendClient(recomputeRunApi, runId).Abandon({}, rpc.sendOpts({ idempotencyKey: `abandon ${runId}` }))
    }
  }
}

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
