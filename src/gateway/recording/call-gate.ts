import { DecidedError } from '../../contract/decided-error.ts'

export interface CallGateLimits {
  /** Calls on their way at once. */
  callsMax: number
  /** Requests that wait for one of them; one beyond it is turned away. */
  waitingMax: number
  /** What the calls on their way and those that wait may hold; a request beyond it is turned away. */
  bytesMax: number
  /** Called for each request that is turned away. */
  onFull: () => void
  /** What it is told. */
  message?: string
}

const NOT_RECORDED = 'too much waits here already; nothing of this request was recorded, send it again'

/** Lets so many calls go at once and others wait in turn. */
export function createCallGate({ callsMax, waitingMax, bytesMax, onFull, message = NOT_RECORDED }: CallGateLimits) {
  const waiting: (() => void)[] = []
  let calls = 0
  let bytes = 0
  return async <T>(size: number, call: () => Promise<T>): Promise<T> => {
    if (bytes + size > bytesMax || waiting.length >= waitingMax) {
      onFull()
      throw new DecidedError('unavailable', message)
    }
    bytes += size
    if (calls >= callsMax) await new Promise<void>((resolve) => waiting.push(resolve))
    else calls++
    try {
      return await call()
    } finally {
      bytes -= size
      const next = waiting.shift()
      if (next === undefined) calls--
      else next()
    }
  }
}
export type CallGate = ReturnType<typeof createCallGate>
