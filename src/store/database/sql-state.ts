import pg from 'pg'
import { UnavailableError } from './unavailable-error.ts'

/** Whether PostgreSQL is away or overloaded (classes 08, 53, 57), so that the same statement may work later. */
export function isUnavailable(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  if (error instanceof UnavailableError) return true
  const state = sqlState(error)
  if (state !== undefined) return /^(08|53|57)/.test(state)
  return isNetworkError(error) || /timeout exceeded when trying to connect/i.test(error.message)
}

function isNetworkError(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  return (
    /^(ECONN|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|EAI_AGAIN|ENOTFOUND)/.test(('code' in error && String(error.code)) || '') ||
    /Connection terminated|timeout expired|connection error|not queryable/i.test(error.message)
  )
}

/**
 * Whether a later attempt may succeed although the rows stay the same: PostgreSQL is away, is a standby (25006), refuses the login (28, 3D),
 * lacks tables or privileges (42P01, 42501), or the transaction met another one (40, 55) or a broken disk (58). A statement that takes too
 * long (57014) is none of these, because its rows may be the reason.
 */
export function mayPass(error: unknown): boolean {
  const state = sqlState(error)
  if (state === '57014') return false
  return isUnavailable(error) || /^(25006|28|3D|40|42P01|42501|55|58)/.test(state ?? '')
}

/**
 * Whether a read that failed on a standby may succeed on the primary: the standby ended the statement to go on replaying (40), is away or has no
 * connection left (08, 53, 57P), or lacks what is newer than itself: a database, a role, a table, a column or a function (3D, 28, 42).
 * A statement that takes too long (57014) takes as long there.
 */
export function mayWorkOnPrimary(error: unknown): boolean {
  const state = sqlState(error)
  if (state === '57014') return false
  return isUnavailable(error) || /^(40001|40P01|3D000|3F000|28|42P01|42703|42883|42501)/.test(state ?? '')
}

/** Whether the server ended the connection, or cannot be reached: not only this statement failed. */
export function isBrokenConnection(error: unknown): boolean {
  return isUnavailable(error) && (/^(08|57P0[123])/.test(sqlState(error) ?? '') || isNetworkError(error))
}

/** Classes 22 (data) and 23 (constraint): a row is at fault, and repeating does not help. */
export function isDataError(error: unknown): boolean {
  return /^2[23]/.test(sqlState(error) ?? '')
}

/** Whether a row with the same unique key is there. */
export function isDuplicateKey(error: unknown): boolean {
  return sqlState(error) === '23505'
}

/** Whether a time zone is unknown. PostgreSQL reports other invalid parameters with the same state. */
export function isUnknownTimeZone(error: unknown): boolean {
  return sqlState(error) === '22023'
}

/** Whether a table does not exist, because sql/ was not applied. */
export function lacksTables(error: unknown): boolean {
  return sqlState(error) === '42P01'
}

/** Whether the user, the password or the database is wrong. */
export function isRefusedLogin(error: unknown): boolean {
  return ['28000', '28P01', '3D000'].includes(sqlState(error) ?? '')
}

/** Whether the user lacks the privilege. */
export function isDenied(error: unknown): boolean {
  return sqlState(error) === '42501'
}

/** Whether the month of a row does not exist or is not open yet: 23514 without the name of a constraint. */
export function isMissingPartition(error: unknown): boolean {
  return error instanceof pg.DatabaseError && error.code === '23514' && error.constraint === undefined
}

/** Whether PostgreSQL could not write because its disk is full. Reads the causes of an error too. */
export function isDiskFull(error: unknown): boolean {
  return sqlState(error) === '53100' || (error instanceof Error && error.cause !== undefined && isDiskFull(error.cause))
}

/** Whether PostgreSQL ended this transaction because it and another one waited for each other. */
export function isDeadlock(error: unknown): boolean {
  return sqlState(error) === '40P01'
}

/** Whether lock_timeout was reached. */
export function isLockTimeout(error: unknown): boolean {
  return sqlState(error) === '55P03'
}

/** The SQLSTATE of an error that PostgreSQL reported; undefined for any other. */
export function sqlState(error: unknown): string | undefined {
  return error instanceof pg.DatabaseError ? error.code : undefined
}
