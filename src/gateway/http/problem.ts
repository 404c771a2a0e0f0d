import type { FastifyError, FastifyInstance, FastifyReply } from 'fastify'
import { DecidedError, invalidField } from '../../contract/decided-error.ts'
import { type ErrorBody, STATUS_OF_CODE } from '../../contract/error.ts'
import { isUnavailable } from '../../store/database/sql-state.ts'

const RETRY_AFTER_SECONDS = 2
/** Rates are counted by the minute. */
const RATE_RETRY_AFTER_SECONDS = 60
export const NOT_JSON = 'content-type must be application/json'

/** Instead of Fastify's own messages. */
const MESSAGES: Record<string, string> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: NOT_JSON,
  FST_ERR_BAD_URL: 'the address has a % without two hexadecimal digits of UTF-8 after it',
  FST_ERR_MAX_PARAM_LENGTH: 'a part of the address is too long',
}

/** Answers every error in the contract's shape; its cause goes into the log line of the request. */
export function answerErrors(app: FastifyInstance): void {
  app.setErrorHandler((error, request, reply) => {
    const problem = problemOf(error)
    request.failure = problem.cause
    return sendProblem(reply, problem)
  })
}

/** Every error as one of the contract's codes. The message of an unexpected error is hidden from the caller. */
export function problemOf(error: unknown): DecidedError {
  if (error instanceof DecidedError) return error
  const { code = '', statusCode = 500 } = error as Partial<FastifyError>
  if (statusCode >= 400 && statusCode < 500) {
    return new DecidedError('invalid_request', MESSAGES[code] ?? (error as Error).message)
  }
  if (isUnavailable(error)) return new DecidedError('unavailable', 'the database does not answer; try again', { cause: error })
  return new DecidedError('internal_error', 'something went wrong here; the log has the request id', { cause: error })
}

/** The error for a cursor of another list, or a changed one. */
export function invalidCursor(): DecidedError {
  return invalidField('cursor', 'is not a cursor of this list')
}

/** Answers with an error in the contract's shape. */
export function sendProblem(reply: FastifyReply, problem: DecidedError): FastifyReply {
  const error: ErrorBody['error'] = { code: problem.code, message: problem.message }
  const details = problem.details ?? (problem.field && [{ field: problem.field, message: problem.problem }])
  if (details !== undefined) error.details = details
  if (problem.code === 'unavailable') reply.header('retry-after', RETRY_AFTER_SECONDS)
  if (problem.code === 'rate_limited' && !reply.hasHeader('retry-after')) reply.header('retry-after', RATE_RETRY_AFTER_SECONDS)
  if (problem.code === 'unauthorized') reply.header('www-authenticate', 'Bearer')
  return reply.code(STATUS_OF_CODE[problem.code]).send({ error })
}
