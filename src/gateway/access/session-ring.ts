import { LRUCache } from 'lru-cache'
import { DecidedError } from '../../contract/decided-error.ts'
import { liveSessions, type StoredSession } from '../../store/access/session.ts'
import type { Database } from '../../store/database/connection.ts'
import { isUnavailable } from '../../store/database/sql-state.ts'
import { withinMs } from '../http/within-ms.ts'

/** The live session whose id has this hash; undefined when there is none, or it has ended. */
export type FindSession = (hash: string) => Promise<StoredSession | undefined>

/** The greatest age of what is known of a session, and so the delay until its end takes effect. */
export const SESSION_MS_MAX = 500
/** So long a request waits for the state of a session that is known, because a database that hangs ends no session either. */
const WAIT_MS_MAX = 500
/** Sessions that are used at the same time. */
const KNOWN_MAX = 10_000
/** Any caller can show an id that looks right, and has it looked up. */
const LOOKED_UP_MAX = 1_000

interface Lookup {
  hashes: Set<string>
  found: Promise<Map<string, StoredSession>>
}

/**
 * Reads sessions as they are shown: one statement at a time, for all that wait. While the database is away known sessions stay good, as
 * keys do, because none can be ended then.
 */
export function createSessionRing(db: Database, onUnavailable: (error: unknown) => void): FindSession {
  const known = new LRUCache<string, { session: StoredSession; atMs: number }>({ max: KNOWN_MAX })
  let next: Lookup | undefined
  let last: Promise<unknown> = Promise.resolve()

  const lookUp = (hash: string): Lookup['found'] => {
    if (next === undefined) {
      const hashes = new Set<string>()
      const found = last.then(() => {
        next = undefined
        return liveSessions(db, [...hashes])
      })
      last = found.catch(() => undefined)
      next = { hashes, found }
    }
    if (next.hashes.size >= LOOKED_UP_MAX) throw new DecidedError('unavailable', 'too many sessions are looked up; try again')
    next.hashes.add(hash)
    return next.found
  }

  return async (hash) => {
    const before = known.get(hash)
    if (before !== undefined && performance.now() - before.atMs < SESSION_MS_MAX) return before.session
    const atMs = performance.now()
    const look = async () => {
      const session = (await lookUp(hash)).get(hash)
      if (session === undefined) known.delete(hash)
      else known.set(hash, { session, atMs })
      return { session }
    }
    try {
      const looked = look()
      const found = before === undefined ? await looked : await withinMs(looked, WAIT_MS_MAX)
      // Without an outcome the look-up goes on, and its end takes effect for the next request.
      looked.catch(() => undefined)
      return found === undefined ? before?.session : found.session
    } catch (error) {
      if (before === undefined || !isUnavailable(error)) throw error
      onUnavailable(error)
      known.set(hash, { session: before.session, atMs: performance.now() })
      return before.session
    }
  }
}
