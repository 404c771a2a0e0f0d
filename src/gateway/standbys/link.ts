import { setTimeout as sleep } from 'node:timers/promises'
import type { Database } from '../../store/database/connection.ts'
import { UnavailableError } from '../../store/database/unavailable-error.ts'

/** Connections to a server that are made anew after it did not answer, because a connection may hang for ever when packets are lost. */
export interface Link {
  db: () => Database
  renew: () => void
  /** Resolves when the connections are closed that no statement uses. */
  close: () => Promise<void>
}

const CLOSE_MS_MAX = 1_000

export function createLink(open: () => Database): Link {
  let db = open()
  const closing = (old: Database) => Promise.race([old.destroy(), sleep(CLOSE_MS_MAX, undefined, { ref: false })])
  return {
    db: () => db,
    renew: () => {
      // Rejects when a connection breaks as it is closed.
      void db.destroy().catch(() => undefined)
      db = open()
    },
    close: () => closing(db),
  }
}

/** An answer within `msMax`. @throws UnavailableError otherwise. */
export async function within<T>(msMax: number, answer: Promise<T>): Promise<T> {
  const late = new AbortController()
  const timer = sleep(msMax, undefined, { ref: false, signal: late.signal }).then(() => {
    throw new UnavailableError(`PostgreSQL did not answer within ${msMax} ms`)
  })
  // The one that comes second may fail too.
  answer.catch(() => undefined)
  timer.catch(() => undefined)
  return Promise.race([answer, timer]).finally(() => late.abort())
}
