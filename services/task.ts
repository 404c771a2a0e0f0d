import {
  CancelledError,
  type InvocationId,
  type ObjectContext,
  type ObjectSharedContext,
  TerminalError,
  TimeoutError,
} from '@restatedev/restate-sdk'
import { notFound } from '../src/contract/decided-error.ts'
import type { TaskRun } from '../src/contract/schedule.ts'
import { scheduleApi, taskApi } from '../src/contract/services.ts'
import { instantOf } from '../src/contract/time.ts'
import type { Deps, RetryLimits } from './handler/deps.ts'
import { FINAL, PRIVATE_READ, RUN } from './handler/handler-options.ts'
import { objectOf } from './handler/with-options.ts'

const ERROR_CHARACTERS_MAX = 500
/** How long a run that should be under way is listened to for a sign of its end. */
const LISTEN_MS = 100

interface Run {
  slot: number
  startedAt: number
  finishedAt: number | null
  outcome: Exclude<TaskRun['outcome'], 'killed'>
  attempts: number
  error: string | null
  /** Who does it: asked whether a run that did not end still goes on. */
  invocationId: InvocationId
}

/**
 * Task: does the work of the schedule of the same name. The key is held from the start of a run to its end, its pauses between
 * two attempts included, so that a task never overlaps itself.
 */
export const task = (deps: Deps) =>
  objectOf(
    taskApi,
    // A run that keeps dying with its process is given up, because a paused run would hold the key and no later slot could run.
    { retryPolicy: { ...deps.retryPolicy, onMaxAttempts: 'kill' } },
    {
      Run: [RUN, (ctx, { slot }) => runTask(deps, ctx, slot)],

      LastRun: [PRIVATE_READ, async (ctx, { ended }) => ({ run: await lastRun(ctx, ended) })],
    },
  )

/** Slots that waited for a long run are dropped but for the last. */
async function runTask(deps: Deps, ctx: ObjectContext, slot: number): Promise<void> {
  const work = Object.hasOwn(deps.tasks, ctx.key) ? deps.tasks[ctx.key] : undefined
  if (work === undefined) throw notFound(`there is no task ${ctx.key}`)
  const latest = await ctx.client(scheduleApi, ctx.key).Latest({})
  if (latest.slot !== slot) return
  const startedAt = await ctx.date.now()
  const run: Run = {
    slot,
    startedAt,
    finishedAt: null,
    outcome: 'running',
    attempts: 1,
    error: null,
    invocationId: ctx.request().id,
  }
  for (; ; run.attempts++) {
    ctx.set('run', run)
    try {
      await work.run(deps, ctx, slot)
      ctx.set('run', { ...run, outcome: 'completed', finishedAt: await ctx.date.now() } satisfies Run)
      return
    } catch (error) {
      // Anything else is how an attempt of this handler ends, and Restate goes on with it.
      if (!(error instanceof TerminalError)) throw error
      run.error = error.message.slice(0, ERROR_CHARACTERS_MAX)
      const isFinal = error instanceof CancelledError || error.code === FINAL
      if (isFinal || run.attempts >= deps.retryPolicy.maxAttempts) {
        ctx.set('run', { ...run, outcome: 'failed', finishedAt: await ctx.date.now() } satisfies Run)
        throw error
      }
      run.outcome = 'failing'
      ctx.set('run', run)
      await ctx.sleep(pauseAfter(run.attempts, deps.retryPolicy))
    }
  }
}

/** Milliseconds between an attempt and the next. */
export function pauseAfter(attempts: number, { initialInterval, maxInterval }: RetryLimits): number {
  return Math.min(maxInterval, initialInterval * 2 ** (attempts - 1))
}

/** A run that was killed could not write that down: its invocation has ended, and what it wrote last has no end. */
async function lastRun(ctx: ObjectSharedContext, ended: string | undefined): Promise<TaskRun | null> {
  const run = await ctx.get<Run>('run')
  if (run === null) return null
  const wasKilled = run.finishedAt === null && run.invocationId === ended
  if (run.finishedAt === null && !wasKilled && (await hasEnded(ctx, run.invocationId))) {
    // What it wrote last may be newer than what was read here.
    return (await ctx.client(taskApi, ctx.key).LastRun({ ended: run.invocationId })).run
  }
  return {
    slot: instantOf(run.slot),
    started_at: instantOf(run.startedAt),
    duration_ms: run.finishedAt === null ? null : run.finishedAt - run.startedAt,
    outcome: wasKilled ? 'killed' : run.outcome,
    attempts: run.attempts,
    error: run.error,
  }
}

/** Whether an invocation came to an end, whatever that was. */
async function hasEnded(ctx: ObjectSharedContext, id: InvocationId): Promise<boolean> {
  try {
    await ctx.invocation(id).attach<unknown>().orTimeout(LISTEN_MS)
    return true
  } catch (error) {
    if (error instanceof TimeoutError) return false
    if (error instanceof TerminalError) return true
    throw error
  }
}
