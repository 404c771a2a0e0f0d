import { TerminalError } from '@restatedev/restate-sdk'
import { DecidedError } from '../../src/contract/decided-error.ts'
import { STATUS_OF_CODE } from '../../src/contract/error.ts'
import { isUnavailable } from '../../src/store/database/sql-state.ts'

/**
 * What the caller of a handler gets for an error. A decision ends the call, with its field and details as metadata; every other
 * error is undefined here, because Restate retries it.
 */
export function asTerminalError(error: unknown): TerminalError | undefined {
  if (!(error instanceof DecidedError)) return undefined
  const { code, message, field, problem, details } = error
  const facts = [...(field === undefined ? [] : Object.entries({ field, problem })), ...Object.entries(details ?? {})]
  const metadata = Object.fromEntries(facts.map(([name, value]) => [name, String(value)]))
  return new TerminalError(message, { errorCode: STATUS_OF_CODE[code], ...(facts.length > 0 && { metadata }) })
}

/** The same for reads, which do not wait for a database that is away, because their callers would have given up by then. */
export function asTerminalErrorOfRead(error: unknown): TerminalError | undefined {
  if (isUnavailable(error)) return asTerminalError(new DecidedError('unavailable', 'the database does not answer; try again'))
  return asTerminalError(error)
}
