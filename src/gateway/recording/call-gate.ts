import { DecidedError } from '../../contract/decided-error.ts'
import { createTurns } from '../http/turns.ts'

export interface CallGateLimits {
  /** Concurrent calls. */
  callsMax: number
  /** Requests that wait for their turn; a further one is turned away. */
  waitingMax: number
  /** Bytes of the bodies of all running and waiting calls; a request beyond it is turned away. */
  bytesMax: number
  /** Called for each request that is turned away. */
  onFull: () => void
}

export const NOT_RECORDED = 'too much waits here already; nothing of this request was recorded, send it again'

/** Bounds the concurrent calls, and the bytes of all running and waiting ones; `size` is that of one call's body. */
export type CallGate = <T>(size: number, call: () => Promise<T>) => Promise<T>

export function createCallGate({ callsMax, waitingMax, bytesMax, onFull }: CallGateLimits): CallGate {
  const turns = createTurns(callsMax)
  let bytes = 0
  return async (size, call) => {
    if (bytes + size > bytesMax || turns.waiting() >= waitingMax) {
      onFull()
      throw new DecidedError('unavailable', NOT_RECORDED)
    }
    bytes += size
    try {
      return await turns.run(call)
    } finally {
      bytes -= size
    }
  }
}
