import type { Context } from '@restatedev/restate-sdk'
import { DecidedError } from '../../src/contract/decided-error.ts'
import { ACKNOWLEDGED_HEADER } from '../../src/contract/recorder.ts'
import { mayPass } from '../../src/store/database/sql-state.ts'
import { awaitTrace, traceCall } from '../../src/store/log/recorded-call.ts'
import type { Deps } from '../handler/deps.ts'
import { callOfRequest, isFirstAttempt } from './checked-call.ts'

/** Runs the statements of a recording handler, once in the journal. It decides what a handler does while PostgreSQL is away. */
export type RecordingStep = <T>(ctx: Context, name: string, statements: () => Promise<T>) => Promise<T>

/** Thrown by a step whose call must leave its place in Restate and wait in a recorder. */
export class LeavePlace extends Error {}

/** Thrown by a step of a recorder whose call fails for another reason than an outage. */
export class SetAside extends Error {}

/** Attempts before a recorder sets a call aside. Pauses double: 15 s in all with a first pause of 100 ms in Restate. */
const FAILURES_MAX = 5
const PAUSE_INTERVALS = 10
/** For so long after a call was set aside, another one is after two attempts, because the pauses of many such calls would add up. */
const IMPATIENT_MS = 60_000
const IMPATIENT_FAILURES_MAX = 2
// oxlint-disable-next-line no-restricted-globals -- asked inside of steps, whose results are in the journal
const now = () => performance.now()

const AWAY = 'the database does not answer, and too many calls wait for it'
const NOT_RECORDED = `${AWAY}; nothing of this call was recorded, send it again`
/** An earlier attempt may have done it. */
const UNKNOWN = `${AWAY}; send the same call again`

/** What an attempt of a recorder journals. */
type Attempt<T> = { done: T } | { failure: string; isLast?: boolean }

/** In the journal in place of the result of a step that leaves its place. */
const LEFT = { leaves: true }

/**
 * The step of a direct call. While PostgreSQL is away, Restate repeats the first calls, each of which keeps its place; further calls
 * leave theirs. @throws LeavePlace, or DecidedError `unavailable` when too many have left.
 */
export function directStep({ waitingCalls, observer }: Pick<Deps, 'waitingCalls' | 'observer'>): RecordingStep {
  return async (ctx, name, statements) => {
    const { id, headers } = ctx.request()
    const isAcknowledged = headers.has(ACKNOWLEDGED_HEADER)
    const result = await ctx.run(name, () =>
      waitingCalls.direct.attempt(id.toString(), statements, (failure) => {
        // An attempt that began may have been recorded, so its caller must not be told that nothing was.
        const hasBegun = failure !== undefined || !isFirstAttempt(ctx)
        if (hasBegun || isAcknowledged || waitingCalls.mayLeave()) return LEFT
        observer.callRefused()
        throw new DecidedError('unavailable', NOT_RECORDED)
      }),
    )
    if (hasLeft(result)) throw new LeavePlace()
    return result
  }
}

/**
 * The step of a call that is made seldom, and whose caller repeats it. It leaves the trace of the call after the statements: a trace that a failover
 * did not lose says that their changes were not lost either. @throws DecidedError `unavailable` when too many wait.
 */
export function refusingStep({ waitingCalls, background }: Pick<Deps, 'waitingCalls' | 'background'>): RecordingStep {
  return (ctx, name, statements) => {
    const tracedStatements = async () => {
      const result = await statements()
      const call = callOfRequest(ctx)
      if (!(await traceCall(background, call))) await awaitTrace(background, call)
      return result
    }
    return ctx.run(name, () =>
      waitingCalls.direct.attempt(ctx.request().id.toString(), tracedStatements, (failure) => {
        throw failure ?? new DecidedError('unavailable', UNKNOWN)
      }),
    )
  }
}

/** The step of a recorder. Restate repeats it for as long as PostgreSQL is away. @throws SetAside after some other failures. */
export function recorderStep({ retryPolicy, waitingCalls }: Pick<Deps, 'retryPolicy' | 'waitingCalls'>): RecordingStep {
  let setAsideMs = -Infinity
  return async (ctx, name, statements) => {
    for (let failures = 1; ; failures++) {
      const outcome = await ctx.run(name, async (): Promise<Attempt<Awaited<ReturnType<typeof statements>>>> => {
        try {
          const done = await statements()
          waitingCalls.recorded()
          return { done }
        } catch (error) {
          if (error instanceof DecidedError || mayPass(error)) throw error
          const failuresMax = now() - setAsideMs < IMPATIENT_MS ? IMPATIENT_FAILURES_MAX : FAILURES_MAX
          const isLast = failures >= failuresMax
          if (isLast) setAsideMs = now()
          return { failure: error instanceof Error ? error.message : String(error), isLast }
        }
      })
      if ('done' in outcome) return outcome.done
      // The release before journalled no isLast.
      if (outcome.isLast ?? failures === FAILURES_MAX) throw new SetAside(outcome.failure)
      await ctx.sleep(PAUSE_INTERVALS * retryPolicy.initialInterval * 2 ** (failures - 1))
    }
  }
}

/** The step of a call that was set aside. Its only attempt is followed by a pause. */
export const setAsideStep: RecordingStep = (ctx, name, statements) => ctx.run(name, statements)

function hasLeft(result: unknown): result is typeof LEFT {
  return typeof result === 'object' && result !== null && 'leaves' in result
}
