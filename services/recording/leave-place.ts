import { type Context, internal, serde, TerminalError } from '@restatedev/restate-sdk'
import { DecidedError } from '../../src/contract/decided-error.ts'
import {
  CALL_HEADER,
  DIRECT_RECORDERS,
  RECEIVED_HEADER,
  recorderOf,
  type RecordingHandlers,
} from '../../src/contract/recorder.ts'
import { KEPT_SHORT_HEADER } from '../../src/contract/rejected.ts'
import { recorderApi, setAsideApi } from '../../src/contract/services.ts'
import type { Waiting } from '../../src/contract/waiting.ts'
import { callIdOf, callOf } from '../../src/store/log/call.ts'
import type { Deps } from '../handler/deps.ts'
import { receivedMsOf } from './checked-call.ts'
import type { RecordingFunctions } from './recording-functions.ts'
import { LeavePlace, SetAside } from './step.ts'

type Name = keyof RecordingHandlers
type Handle = (ctx: Context, input: never) => Promise<object>

/** Sends the calls that leave their places to a recorder, and answers them with the invocation that records them. */
export function leavingPlaces(functions: RecordingFunctions): RecordingFunctions {
  return mapFunctions(functions, (name, handle) => async (ctx, input) => {
    try {
      return await handle(ctx, input)
    } catch (error) {
      if (!(error instanceof LeavePlace)) throw error
      const key = recorderOf(ctx.request().id.toString(), DIRECT_RECORDERS)
      return waitingAnswer(name, input, await sendOn(ctx, { service: recorderApi.name, key, method: name }))
    }
  })
}

/** Sends the calls of a recorder that fail for another reason than an outage to SetAside, so that they hold up no other call. */
export function settingAside({ observer }: Pick<Deps, 'observer'>, functions: RecordingFunctions): RecordingFunctions {
  return mapFunctions(functions, (name, handle) => async (ctx, input) => {
    try {
      return await handle(ctx, input)
    } catch (error) {
      // Any other error would recur in every attempt.
      if (internal.isSuspendedError(error) || error instanceof TerminalError || error instanceof DecidedError) throw error
      const waiting = await sendOn(ctx, { service: setAsideApi.name, method: name })
      const reason = error instanceof SetAside ? error.message : String(error)
      ctx.console.error('set aside: the call failed for another reason than an outage', { handler: name, ...waiting, reason })
      await ctx.run('report it', () => observer.setAside())
      return waitingAnswer(name, input, waiting)
    }
  })
}

/** Sends the same body to another service, as the same call. */
async function sendOn(ctx: Context, target: { service: string; key?: string; method: Name }): Promise<NonNullable<Waiting>> {
  const { id, body, headers } = ctx.request()
  const keptShort = headers.get(KEPT_SHORT_HEADER)
  const callId = headers.get(CALL_HEADER) ?? id.toString()
  const { invocationId } = ctx.genericSend({
    ...target,
    parameter: body,
    inputSerde: serde.binary,
    // Restate keeps the answers of calls with a key only. With the body, because a key of a caller may come again with another one.
    idempotencyKey: callIdOf(callOf(callId, body)),
    headers: {
      [CALL_HEADER]: callId,
      [RECEIVED_HEADER]: String(await receivedMsOf(ctx)),
      ...(keptShort !== undefined && { [KEPT_SHORT_HEADER]: keptShort }),
    },
  })
  return { invocation_id: (await invocationId).toString() }
}

const NOTHING = { accepted: 0, duplicates: 0, duplicate_indexes: [], rejected: [] }

function waitingAnswer(name: Name, input: object, waiting: NonNullable<Waiting>): object {
  if (name !== 'RecordPayments') return { ...NOTHING, waiting }
  return { results: (input as { callbacks: readonly unknown[] }).callbacks.map(() => NOTHING), waiting }
}

function mapFunctions(
  functions: RecordingFunctions,
  wrap: (name: Name, handle: Handle) => (ctx: Context, input: never) => Promise<object>,
): RecordingFunctions {
  const entries = Object.entries(functions) as [Name, Handle][]
  return Object.fromEntries(entries.map(([name, handle]) => [name, wrap(name, handle)])) as unknown as RecordingFunctions
}
