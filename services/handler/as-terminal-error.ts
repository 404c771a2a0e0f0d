import { TerminalError } from '@restatedev/restate-sdk'
import { DecidedError } from '../../src/contract/decided-error.ts'
import { STATUS_OF_CODE } from '../../src/contract/error.ts'
import { isUnavailable } from '../../src/store/database/sql-state.ts'

/**
 * The error that a handler's caller gets. A DecidedError ends the call, with its field and details as metadata. For every other
 * error it is undefined, because Restate retries it.
 */
export function asTerminalError(error: unknown): TerminalError | undefined {
  if (!(error instanceof DecidedError)) return undefined
  const { code, message, field, problem, details } = error
  const facts = [...(field === undefined ? [] : Object.entries({ field, problem })), ...Object.entries(details ?? {})]
  const metadata = Object.fromEntries(facts.map(([name, value]) => [name, String(value)]))
  return new TerminalError(message, { errorCode: STATUS_OF_CODE[code], ...(facts.length > 0 && { metadata }) })
}

/** The same for reads. They also end when the database does not answer, because callers do not wait for the retries of a read. */
export function asTerminalErrorOfRead(error: unknown): TerminalError | undefined {
  if (isUnavailable(error)) return asTerminalError(new DecidedError('unavailable', 'the database does not answer; try again'))
  return asTerminalError(error)
}
