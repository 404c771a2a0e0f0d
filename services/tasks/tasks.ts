import { CancelledError, type ObjectContext, rpc, TerminalError } from '@restatedev/restate-sdk'
import type { TaskName } from '../../src/contract/schedule.ts'
import { HOUR_MS } from '../../src/contract/time.ts'
import { catalogApi, popularityApi, type RecordedBatch, recomputeRunApi } from '../../src/contract/services.ts'
import { leftBehind } from '../../src/store/log/backlog.ts'
import { comingMonths, makePartitions } from '../../src/store/log/month.ts'
import { silentRuns } from '../../src/store/reports/recompute-run.ts'
import { bucketByBucket, dirtyRuns, dropOldBuckets, runDue, scheduledRuns } from '../../src/store/reports/report-refresh.ts'
import { dropOldMonths } from '../../src/store/log/retention.ts'
import { rollUpSome } from '../../src/store/popularity/roll-up.ts'
import { refreshRising } from '../../src/store/popularity/rising.ts'
import { refreshTrending } from '../../src/store/popularity/trending-window.ts'
import type { Deps, Task } from '../handler/deps.ts'
import { FINAL } from '../handler/handler-options.ts'
import { isDataError } from '../../src/store/database/sql-state.ts'

const LEFT_BEHIND_MINUTES = 5
const MONTHS_AHEAD = 2
/** A report that goes on getting events is refreshed in every other slot; the first of them is in it after 35 s, and the work. */
const REFRESH_EVERY_MS = 15_000
const REFRESH_QUIET_MS = 20_000
/** Of a slot, so that late events do not wait until everything there ever was is built. */
const SCHEDULED_MAX = 12
/** Then the next slot goes on, with what got events meanwhile. */
const REFRESH_MS_MAX = 15_000
const SILENT_MS = 60_000

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
    run: async ({ background, retention: { retentionDays } }, ctx) => {
      await step(ctx, 'drop old months', async () => retentionDays !== undefined && dropOldMonths(background, retentionDays))
    },
  },

  'roll-up': {
    everyMs: 24 * HOUR_MS,
    isOn: ({ rollUpAfterDays }) => rollUpAfterDays !== undefined,
    run: async ({ background, retention: { rollUpAfterDays } }, ctx) => {
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

/**
 * What got late events first, and then what was never built, for as long as a slot may take. What fails is no reason to leave out the
 * others, nor is a bucket that cannot be rebuilt one to leave out its neighbours.
 */
async function refreshReports({ background }: Deps, ctx: ObjectContext): Promise<void> {
  const startedAt = await ctx.date.now()
  const dirty = await step(ctx, 'find what got events', () => dirtyRuns(background, REFRESH_QUIET_MS))
  const scheduled = await step(ctx, 'find what was never built', async () =>
    (await scheduledRuns(background)).slice(0, SCHEDULED_MAX),
  )
  const waiting = [...dirty, ...scheduled]
  let failure: TerminalError | undefined
  for (let run = waiting.shift(); run !== undefined; run = waiting.shift()) {
    const due = run
    const runId = ctx.rand.uuidv4()
    try {
      await step(ctx, `rebuild ${due.report} by ${due.window}`, () => runDue(background, runId, due).catch(final))
    } catch (error) {
      if (!(error instanceof TerminalError) || error instanceof CancelledError) throw error
      const parts = error.code === FINAL ? bucketByBucket(due) : []
      if (parts.length > 1) waiting.unshift(...parts)
      else if (failure === undefined || failure.code === FINAL) failure = error
    }
    if ((await ctx.date.now()) - startedAt > REFRESH_MS_MAX) break
  }
  if (failure !== undefined) throw failure
}

/** A sum that no column can hold stays one. */
function final(error: unknown): never {
  if (isDataError(error)) throw new TerminalError((error as Error).message, { errorCode: FINAL })
  throw error
}

/** Lets runs begin that nobody began, and ends those that nobody works on any more: whoever works on one holds its key. */
export function watchRuns(silentMs: number) {
  return async ({ background }: Deps, ctx: ObjectContext): Promise<void> => {
    const silent = await step(ctx, 'find silent runs', () => silentRuns(background, silentMs))
    for (const { id, isPending } of silent) {
      const run = ctx.sendClient(recomputeRunApi, id)
      if (isPending) run.Execute({}, rpc.sendOpts({ idempotencyKey: `resume ${id}` }))
      else run.Abandon({}, rpc.sendOpts({ idempotencyKey: `abandon ${id}` }))
    }
  }
}

/** Sends on what was recorded long ago and neither counted nor fed. */
async function sweep({ background }: Deps, ctx: ObjectContext): Promise<void> {
  const batches = await step(ctx, 'find batches left behind', () => leftBehind(background, LEFT_BEHIND_MINUTES))
  const hour = Math.floor((await ctx.date.now()) / HOUR_MS)
  for (const { batchId, from, to, uncounted, unfed } of batches) {
    const batch = { batch_id: batchId, from, to }
    const once = rpc.sendOpts<RecordedBatch>({ idempotencyKey: `sweep ${batchId} ${hour}` })
    if (uncounted) ctx.sendClient(popularityApi).HandlePopularityEvent(batch, once)
    if (unfed) ctx.sendClient(catalogApi).AddInteraction(batch, once)
  }
}

/** A step that fails ends the attempt: Task decides when the next one is, and keeps what went wrong. */
function step<T>(ctx: ObjectContext, name: string, action: () => Promise<T>): Promise<T> {
  return ctx.run(name, action, { maxRetryAttempts: 1 })
}
