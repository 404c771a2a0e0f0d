import { setTimeout as sleep } from 'node:timers/promises'
import { DecidedError } from '../../contract/decided-error.ts'
import { isUnavailable } from '../../store/database/sql-state.ts'

/** How long a read waits for PostgreSQL before it goes on without it. Usually it takes a few ms. */
const PATIENCE_MS = 1_000

/** The outcome of a read; undefined while PostgreSQL is away, or does not answer within a second. */
export async function unlessAway<T>(read: Promise<T>): Promise<T | undefined> {
  const done = new AbortController()
  const late = sleep(PATIENCE_MS, undefined, { signal: done.signal }).catch(() => undefined)
  try {
    return await Promise.race([read.catch(undefinedWhenAway), late])
  } finally {
    done.abort()
  }
}

function undefinedWhenAway(error: unknown): undefined {
  if (isUnavailable(error) || (error instanceof DecidedError && error.code === 'unavailable')) return undefined
  throw error
}
