import { DecidedError } from '../../contract/decided-error.ts'
import { createCallerShares } from '../http/caller-shares.ts'
import { createTurns, inTurn, NoTurnError } from '../http/turns.ts'

export interface CallGateLimits {
  /** Concurrent calls. */
  callsMax: number
  /** Requests that wait for their turn; a further one is turned away. */
  waitingMax: number
  /** How long a request waits for its turn; then it is turned away. */
  waitMsMax: number
  /** Bytes of the bodies of all running and waiting calls; a request beyond it is turned away. */
  bytesMax: number
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

export const NOT_RECORDED = 'too much waits here already; nothing of this request was recorded, send it again'

/** Bounds the concurrent calls, and the bytes of all running and waiting ones. Callers take turns. */
export type CallGate = <T>(call: GatedCall, send: () => Promise<T>) => Promise<T>

/** The part of each limit that one caller may take, so that it keeps no other one out. A single call may always be larger. */
const CALLER_PART = 3 / 4

export function createCallGate({ callsMax, waitingMax, waitMsMax, bytesMax, onFull }: CallGateLimits): CallGate {
  const shares = createCallerShares(Math.max(1, Math.floor(callsMax * CALLER_PART)))
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

  return async (call, send) => {
    const { caller, body } = call
    if (!hasRoom(call)) throw full()
    add(caller, body.length)
    try {
      return await inTurn(turns, { id: caller, hasShare: true, signal: call.signal }, send, waitMsMax)
    } catch (error) {
      throw error instanceof NoTurnError ? full() : error
    } finally {
      add(caller, -body.length)
    }
  }

  function full(): DecidedError {
    onFull()
    return new DecidedError('unavailable', NOT_RECORDED)
  }
}
