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
import { instantOf } from '../src/contract/fields/time.ts'
import type { Deps, RetryLimits } from './handler/deps.ts'
import { PRIVATE_READ, RUN } from './handler/handler-options.ts'
import { FINAL } from './handler/step.ts'
import { objectOf } from './handler/with-options.ts'

const ERROR_CHARACTERS_MAX = 500
/** How long `attach` waits for the end of an invocation before it counts as running. */
const ATTACH_MS = 100

/** The state of an object: its last run. */
interface Run {
  slot: number
  startedAt: number
  finishedAt: number | null
  outcome: Exclude<TaskRun['outcome'], 'killed'>
  attempts: number
  error: string | null
  /** The invocation that works on it, to find out whether a run without an end was killed. */
  invocationId: InvocationId
}

/**
 * Task: does the work of the schedule of the same name. An invocation holds the key for its whole run, with the pauses between
 * attempts, so that a task never overlaps itself.
 */
export const task = (deps: Deps) =>
  objectOf(
    taskApi,
    deps,
    // A run that keeps dying with its process is killed, because a paused run would hold the key and no later slot could run.
    { retryPolicy: { ...deps.retryPolicy, onMaxAttempts: 'kill' } },
    {
      Run: [RUN, (ctx, { slot }) => runTask(deps, ctx, slot)],

      LastRun: [PRIVATE_READ, async (ctx, { ended }) => ({ run: await lastRun(ctx, ended) })],
    },
  )

/** Attempts the work until it succeeds, fails for good, or has used up its attempts. Of slots that waited only the last one runs. */
async function runTask(deps: Deps, ctx: ObjectContext, slot: number): Promise<void> {
  const task = Object.hasOwn(deps.tasks, ctx.key) ? deps.tasks[ctx.key] : undefined
  if (task === undefined) throw notFound(`there is no task ${ctx.key}`)
  const latest = await ctx.client(scheduleApi, ctx.key).Latest({})
  if (latest.slot !== slot) return
  const startedAt = await ctx.date.now()
  const invocationId = ctx.request().id
  let run: Run = { slot, startedAt, finishedAt: null, outcome: 'running', attempts: 1, error: null, invocationId }
  const save = (changes: Partial<Run>) => {
    run = { ...run, ...changes }
    ctx.set('run', run)
  }
  save({ outcome: 'running' })
  for (;;) {
    const failure = await failureOf(() => task.run(deps, ctx, slot))
    if (failure === undefined) return save({ outcome: 'completed', finishedAt: await ctx.date.now() })
    const error = failure.message.slice(0, ERROR_CHARACTERS_MAX)
    if (isFinal(failure) || run.attempts >= deps.retryPolicy.maxAttempts) {
      save({ outcome: 'failed', error, finishedAt: await ctx.date.now() })
      throw failure
    }
    save({ outcome: 'failing', error })
    await ctx.sleep(pauseAfter(run.attempts, deps.retryPolicy))
    save({ attempts: run.attempts + 1 })
  }
}

/** The error that ends an attempt. Every other error is thrown, because it ends an attempt of the handler, which Restate retries. */
async function failureOf(work: () => Promise<void>): Promise<TerminalError | undefined> {
  try {
    await work()
    return undefined
  } catch (error) {
    if (error instanceof TerminalError) return error
    throw error
  }
}

/** Whether another attempt would end in the same way. */
function isFinal(failure: TerminalError): boolean {
  return failure instanceof CancelledError || failure.code === FINAL
}

/** Milliseconds between an attempt and the next. */
export function pauseAfter(attempts: number, { initialInterval, maxInterval }: RetryLimits): number {
  return Math.min(maxInterval, initialInterval * 2 ** (attempts - 1))
}

/**
 * The last run. A killed run cannot write down its end, so it is recognised by an invocation that has ended without one.
 * `ended` names an invocation that is known to have ended.
 */
async function lastRun(ctx: ObjectSharedContext, ended: string | undefined): Promise<TaskRun | null> {
  const run = await ctx.get<Run>('run')
  if (run === null) return null
  const wasKilled = run.finishedAt === null && run.invocationId === ended
  if (run.finishedAt === null && !wasKilled && (await hasEnded(ctx, run.invocationId))) {
    // Asked again in a call of its own, because the invocation may have written its end after the read above.
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

/** Whether an invocation has ended, with success or not. */
async function hasEnded(ctx: ObjectSharedContext, id: InvocationId): Promise<boolean> {
  try {
    await ctx.invocation(id).attach<unknown>().orTimeout(ATTACH_MS)
    return true
  } catch (error) {
    if (error instanceof TimeoutError) return false
    if (error instanceof TerminalError) return true
    throw error
  }
}
