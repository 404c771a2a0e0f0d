import type { ErrorCode } from './error.ts'

type Details = Readonly<Record<string, unknown>> | readonly FieldProblem[]

/** One wrong field of several; null when it is about the whole request. */
export interface FieldProblem {
  field: string | null
  message: string
}

/**
 * A decision that repeating the call does not change, e.g. a wrong field or a run that does not exist. Thrown by every room, and
 * translated in two places: into a TerminalError for callers of handlers, and into an error answer for HTTP clients. Every other
 * error is a fault or an outage: handlers are retried, HTTP clients get 500 or 503.
 */
export class DecidedError extends Error {
  override readonly name: string = 'DecidedError'
  readonly code: ErrorCode
  /** The field that is wrong, as callers name it. */
  readonly field: string | undefined
  /** The message without the field. */
  readonly problem: string
  /** What else a program needs to know, e.g. the id of the run that is in the way. */
  readonly details: Details | undefined

  constructor(code: ErrorCode, problem: string, more: { field?: string; details?: Details; cause?: unknown } = {}) {
    super(more.field === undefined ? problem : `${more.field}: ${problem}`, { cause: more.cause })
    this.code = code
    this.problem = problem
    this.field = more.field
    this.details = more.details
  }
}

/** A field of the request that is wrong, or asks for something that does not exist. */
export function invalidField(field: string, problem: string): DecidedError {
  return new DecidedError('invalid_request', problem, { field })
}

export function notFound(message: string): DecidedError {
  return new DecidedError('not_found', message)
}
