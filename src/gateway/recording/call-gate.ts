import { DecidedError } from '../../contract/decided-error.ts'
import { createCallerShares } from '../http/caller-shares.ts'
import { createTurns, inTurn, NoTurnError } from '../http/turns.ts'
import type { SendingCallers } from '../http/sending-callers.ts'

export interface CallGateLimits {
  /** Concurrent calls. */
  callsMax: number
  /** Requests that wait for their turn; a further one is turned away. */
  waitingMax: number
  /** How long a request waits for its turn; then it is turned away. */
  waitMsMax: number
  /** Bytes of the bodies of all running and waiting calls; a request beyond it is turned away. */
  bytesMax: number
  /** Concurrent calls of one caller next to other callers. */
  callerCallsMax: number
  /** The callers that send now, in whatever way. */
  sending: SendingCallers
  /** Called for each request that is turned away. */
  onFull: () => void
}

/** A call that carries one request. */
export interface GatedCall {
  /** Its caller: the calls of one caller do not hold up those of another. */
  caller: string
  /** Aborted when the caller has hung up: a call that has not begun is not made then. */
  signal?: AbortSignal | undefined
  body: Uint8Array
}

export const HUNG_UP = 'the caller has hung up'
export const NOT_RECORDED = 'too much waits here already; nothing of this request was recorded, send it again'

/** Bounds the concurrent calls, and the bytes of all running and waiting ones. Callers take turns. */
export type CallGate = <T>(call: GatedCall, send: () => Promise<T>) => Promise<T>

/** The part of each limit that one caller may take, so that it keeps no other one out. A single call may always be larger. */
const CALLER_PART = 3 / 4

/** Next to other callers a pause as long as the call follows one with so many bytes, up to a limit: it keeps a processor busy. */
const LARGE_BYTES_MIN = 16 * 1024
const PAUSE_MS_MAX = 250

export function createCallGate({ callsMax, waitingMax, waitMsMax, bytesMax, ...limits }: CallGateLimits): CallGate {
  const { callerCallsMax, sending, onFull } = limits
  const aloneMax = Math.max(1, Math.floor(callsMax * CALLER_PART))
  const shares = createCallerShares((id) => (sending.hasOthers(id) ? Math.min(callerCallsMax, aloneMax) : aloneMax))
  const turns = createTurns({ runningMax: callsMax, waitingMax, callerWaitingMax: waitingMax * CALLER_PART, shares })
  const byCaller = new Map<string, number>()
  let bytes = 0
  const add = (caller: string, more: number) => {
    const own = (byCaller.get(caller) ?? 0) + more
    bytes += more
    if (own === 0) byCaller.delete(caller)
    else byCaller.set(caller, own)
  }
  const hasRoom = ({ caller, body }: GatedCall) => {
    const own = byCaller.get(caller) ?? 0
    return bytes + body.length <= bytesMax && (own === 0 || own + body.length <= bytesMax * CALLER_PART)
  }

  const pauseAfter = ({ caller, body }: GatedCall) =>
    body.length < LARGE_BYTES_MIN
      ? undefined
      : (tookMs: number) => (sending.hasOthers(caller) ? Math.min(PAUSE_MS_MAX, tookMs) : 0)

  return async (call, send) => {
    const { caller, body } = call
    sending.note(caller)
    if (!hasRoom(call)) throw full()
    add(caller, body.length)
    try {
      call.signal?.throwIfAborted()
      return await inTurn(turns, { id: caller, hasShare: true, signal: call.signal }, send, {
        waitMsMax,
        pauseMs: pauseAfter(call),
      })
    } catch (error) {
      if (error instanceof NoTurnError) throw full()
      throw error === call.signal?.reason ? new DecidedError('unavailable', HUNG_UP) : error
    } finally {
      add(caller, -body.length)
    }
  }

  function full(): DecidedError {
    onFull()
    return new DecidedError('unavailable', NOT_RECORDED)
  }
}
