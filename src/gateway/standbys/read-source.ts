import type { Lsn } from '../../contract/fields/lsn.ts'
import type { Database, Queryable } from '../../store/database/connection.ts'
import { mayWorkOnPrimary } from '../../store/database/sql-state.ts'
import type { ReadPlace } from './read-places.ts'
import type { Standbys } from './standbys.ts'

/** Where a read may run. */
export interface ReadWish {
  /** The primary, unless it says otherwise. */
  readsFrom?: ReadPlace | undefined
  /** The answer must show everything that the caller knows to be written. */
  minLsn?: Lsn | undefined
}

/** What became of a read that may run on a standby. */
export type StandbyRead = 'standby' | 'none_usable' | 'failed_over'
export const STANDBY_READS: readonly StandbyRead[] = ['standby', 'none_usable', 'failed_over']

export interface ReadSource {
  primary: Database
  /** Waits until a standby shows what the wish asks for, for 200 ms at most; undefined when nothing is to wait for. Reads take their turn afterwards. */
  caughtUp: (wish: ReadWish) => Promise<void> | undefined
  /** Reads from a standby, and from the primary when none is usable or the read fails there. All statements of a work are on one server. */
  read: <Answer>(wish: ReadWish, work: (db: Database) => Promise<Answer>) => Promise<Answer>
  /** For statements whose answers callers share: each reads by itself, from a standby where one is usable. */
  shared: Queryable
}

export function createReadSource(
  primary: Database,
  standbys: Standbys | undefined,
  note: (outcome: StandbyRead) => void,
): ReadSource {
  const read: ReadSource['read'] = async ({ readsFrom, minLsn }, work) => {
    if (standbys === undefined || readsFrom !== 'standby') return work(primary)
    const standby = standbys.choose(minLsn)
    if (standby === undefined) {
      note('none_usable')
      return work(primary)
    }
    try {
      const answer = await standby.read(work)
      note('standby')
      return answer
    } catch (error) {
      if (!mayWorkOnPrimary(error)) throw error
      note('failed_over')
      return work(primary)
    }
  }
  const sharedExecutor = primary.getExecutor().withConnectionProvider({
    provideConnection: (work) => read(SHARED, (db) => db.getExecutor().provideConnection(work)),
  })
  return {
    primary,
    caughtUp: ({ readsFrom, minLsn }) =>
      minLsn === undefined || readsFrom !== 'standby' || standbys === undefined ? undefined : standbys.waitFor(minLsn),
    read,
    shared: standbys === undefined ? primary : { getExecutor: () => sharedExecutor },
  }
}

const SHARED: ReadWish = { readsFrom: 'standby' }
