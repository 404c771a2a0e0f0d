import { join } from 'node:path'
import { connect } from '../../store/database/connection.ts'
import { NoPrimaryError } from '../../store/database/primary.ts'
import { NewerSchemaError, schemaState } from '../../store/database/migration.ts'
import { createTombstones, haveTombstonesOtherKey } from '../../store/log/tombstone.ts'
import { CHECKOUT } from '../config/checkout.ts'
import { isDenied, isRefusedLogin, isUnavailable, lacksTables } from '../../store/database/sql-state.ts'
import { StartError } from '../config/start-error.ts'
import { NO_PRIMARY } from './away-problem.ts'

/**
 * Checks that this code can work with the database. `whenAway` says what to do about a database that does not answer: refuse to
 * start, or start and wait for it. @throws StartError with what to do.
 */
export async function checkPrepared(url: string, whenAway: 'refuse' | 'wait'): Promise<void> {
  const db = connect({ url, name: 'footfall check', connectionsMax: 1, readOnly: true })
  try {
    const { missing, notUnderstood } = await schemaState(db, join(CHECKOUT, 'sql'))
    if (notUnderstood.length > 0) throw new NewerSchemaError(notUnderstood)
    if (missing.length > 0) {
      throw new StartError(`The database is of an older Footfall (${missing.join(', ')} is missing): run footfall migrate first.`)
    }
  } catch (cause) {
    if (cause instanceof StartError) throw cause
    if (cause instanceof NewerSchemaError) throw new StartError(cause.message, { cause })
    if (isUnavailable(cause) && whenAway === 'wait') return
    throw problemOf(cause)
  } finally {
    await db.destroy()
  }
}

/** Checks that late events of the persons who were erased are recognised. @throws StartError when the key is missing or another one. */
export async function checkErasureKey(url: string, key: Buffer | undefined): Promise<void> {
  const db = connect({ url, name: 'footfall check', connectionsMax: 1, readOnly: true })
  try {
    if (!(await haveTombstonesOtherKey(db, key === undefined ? undefined : createTombstones(key).keyId()))) return
  } finally {
    await db.destroy()
  }
  throw new StartError(
    `Persons were erased, and ${key === undefined ? 'ERASURE_KEY_FILE is not set' : 'the key of ERASURE_KEY_FILE is another one'}: set it to the file with the key that was used then.`,
  )
}

function problemOf(cause: unknown): unknown {
  if (isRefusedLogin(cause)) {
    return new StartError('PostgreSQL refuses the user, the password or the database of DATABASE_URL: change them.', { cause })
  }
  if (cause instanceof NoPrimaryError) return new StartError(NO_PRIMARY, { cause })
  if (isUnavailable(cause))
    return new StartError('PostgreSQL does not answer at DATABASE_URL: start it, or change the address.', { cause })
  if (lacksTables(cause)) return new StartError('The database is not prepared: run footfall migrate first.', { cause })
  if (isDenied(cause)) {
    return new StartError('The user of DATABASE_URL may not read the database: run footfall migrate --role first.', { cause })
  }
  return cause
}
