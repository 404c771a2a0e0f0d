import { CancelledError, type ObjectContext, TerminalError } from '@restatedev/restate-sdk'
import { addUpWeeks } from '../../src/store/reports/report-block-sums.ts'
import { bucketByBucket, dirtyRuns, runDue, scheduledRuns } from '../../src/store/reports/report-refresh.ts'
import type { Deps, Task } from '../handler/deps.ts'
import { FINAL, finalIfDataError, step } from '../handler/step.ts'

/** Buckets are rebuilt after they have waited for this long, so a bucket that keeps getting events is rebuilt in every other slot. */
const QUIET_MS = 20_000
/** Per slot, so that late events do not wait until every bucket was built. */
const NEVER_BUILT_MAX = 12
/** Then the next slot continues, and begins with the buckets that got events since. */
const SLOT_MS_MAX = 15_000
/** Weeks are added up when none of their block was built for this long. */
const BLOCK_QUIET_MS = 60 * 60_000

export const REFRESH_REPORTS: Task = {
  description: 'rebuilds buckets that got events, 20 to 35 s after the first of them, and builds those that were never built',
  everyMs: 15_000,
  isOn: () => true,
  run: refreshReports,
}

/**
 * Rebuilds buckets that got events, then builds new ones, until the slot's time is used up, and adds up weeks. A failure does not stop the others; a
 * range that fails for good is tried again bucket by bucket, so that one bad bucket does not hold up its neighbours.
 */
async function refreshReports({ background }: Deps, ctx: ObjectContext): Promise<void> {
  const startedAt = await ctx.date.now()
  const dirty = await step(ctx, 'find what got events', () => dirtyRuns(background, QUIET_MS))
  const scheduled = await step(ctx, 'find what was never built', async () =>
    (await scheduledRuns(background)).slice(0, NEVER_BUILT_MAX),
  )
  const waiting = [...dirty, ...scheduled]
  let failure: TerminalError | undefined
  for (let run = waiting.shift(); run !== undefined; run = waiting.shift()) {
    const due = run
    const runId = ctx.rand.uuidv4()
    try {
      await step(ctx, `rebuild ${due.report} by ${due.window}`, () => runDue(background, runId, due).catch(finalIfDataError))
    } catch (error) {
      if (!(error instanceof TerminalError) || error instanceof CancelledError) throw error
      const buckets = error.code === FINAL ? bucketByBucket(due) : []
      if (buckets.length > 1) waiting.unshift(...buckets)
      else if (failure === undefined || failure.code === FINAL) failure = error
    }
    if ((await ctx.date.now()) - startedAt > SLOT_MS_MAX) break
  }
  await step(ctx, 'add up weeks', () => addUpWeeks(background, BLOCK_QUIET_MS))
  if (failure !== undefined) throw failure
}
