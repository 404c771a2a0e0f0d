import { DecidedError } from '../../contract/decided-error.ts'
import { createTurns } from '../http/turns.ts'

export interface ReadGateLimits {
  /** Concurrent reads: each keeps one connection and one processor of PostgreSQL busy. */
  readsMax: number
  /** Reads that wait for their turn; a further one is turned away. */
  waitingMax: number
  /** The message for a read that is turned away. */
  message: string
}

/** Bounds expensive reads, so that cheap ones find free connections. */
export type ReadGate = <T>(read: () => Promise<T>) => Promise<T>

export function createReadGate({ readsMax, waitingMax, message }: ReadGateLimits): ReadGate {
  const turns = createTurns(readsMax)
  return async (read) => {
    if (turns.waiting() >= waitingMax) throw new DecidedError('unavailable', message)
    return turns.run(read)
  }
}
