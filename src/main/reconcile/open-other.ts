import { databaseAddresses } from '../../store/database/addresses.ts'
import { connect, type Database } from '../../store/database/connection.ts'
import { isAnswering } from '../../store/database/is-answering.ts'
import { isRefusedLogin, isUnavailable, lacksTables } from '../../store/database/sql-state.ts'
import { type DatabaseIdentity, databaseIdentity } from '../../store/reconcile/other-identity.ts'
import { StartError, UsageError } from '../config/start-error.ts'

/**
 * Works with the database at the address of --from, which is only read. @throws StartError with what to do, when it cannot be read, is that of
 * DATABASE_URL itself or a standby of it, or is of another shop.
 */
export async function withOther<T>(url: string, db: Database, work: (other: Database) => Promise<T>): Promise<T> {
  if (databaseAddresses(url).length !== 1 || !URL.canParse(url) || !/^postgres(ql)?:$/.test(new URL(url).protocol)) {
    throw new UsageError('--from is one address of a PostgreSQL, such as postgres://postgres@127.0.0.1:5433/footfall.')
  }
  const other = connect({ url, name: 'footfall reconcile', connectionsMax: 1, readOnly: true, statementMsMax: 0 })
  try {
    await refuseWrong(other, db)
    return await work(other)
  } catch (cause) {
    throw (await problemOf(cause, url)) ?? cause
  } finally {
    await other.destroy()
  }
}

/** The file of sql/ that made the traces of calls. */
const TRACES_SCHEMA = '0042'

async function refuseWrong(other: Database, db: Database): Promise<void> {
  const here = await databaseIdentity(db)
  const there = await identityThere(other)
  if (there.schema < TRACES_SCHEMA) {
    throw new StartError(
      `The database at --from is of an earlier release (${there.schema}), which left no traces of its calls: import your own archive.`,
    )
  }
  if (there.madeAt !== here.madeAt) {
    throw new StartError('The database at --from is that of another shop: nothing of it may come into this one.')
  }
  if (there.systemIdentifier !== here.systemIdentifier) return
  if (there.startedAt === here.startedAt && there.database === here.database) {
    throw new StartError(
      'The database at --from is that of DATABASE_URL itself: start PostgreSQL on the disk of the old primary, on another port, and give its address.',
    )
  }
  if (there.isStandby && there.timeline === here.timeline) {
    throw new StartError(
      'The database at --from is a standby of DATABASE_URL, and has no more than it: give the address of the old primary.',
    )
  }
}

async function identityThere(other: Database): Promise<DatabaseIdentity> {
  try {
    return await databaseIdentity(other)
  } catch (cause) {
    if (!lacksTables(cause)) throw cause
    throw new StartError(
      'The database at --from has no tables of Footfall: give the address with the name of its database, such as …/footfall.',
      { cause },
    )
  }
}

/** What to do about an error of the other database; undefined for every other one. */
async function problemOf(cause: unknown, url: string): Promise<StartError | undefined> {
  if (isUnavailable(cause) && !(await isAnswering(url)))
    return new StartError('PostgreSQL does not answer at the address of --from: start it, or change the address.', { cause })
  if (isRefusedLogin(cause))
    return new StartError(
      `The PostgreSQL at --from refuses the login: ${(cause as Error).message}. Change its user, password or database.`,
      {
        cause,
      },
    )
  return undefined
}
