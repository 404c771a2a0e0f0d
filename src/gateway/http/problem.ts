import { STATUS_CODES } from 'node:http'
import type { FastifyError, FastifyInstance, FastifyReply } from 'fastify'
import { DecidedError, invalidField } from '../../contract/decided-error.ts'
import { type ErrorBody, type ProblemBody, STATUS_OF_CODE } from '../../contract/error.ts'
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

export const PROBLEM_JSON = 'application/problem+json'

/** Answers with an error in the contract's shape, or in that of RFC 9457 when its caller accepts that by name. */
export function sendProblem(reply: FastifyReply, problem: DecidedError): FastifyReply {
  const error: ErrorBody['error'] = { code: problem.code, message: problem.message }
  const details = problem.details ?? (problem.field && [{ field: problem.field, message: problem.problem }])
  if (details !== undefined) error.details = details
  const retryAfter = problem.code === 'unavailable' ? RETRY_AFTER_SECONDS : RATE_RETRY_AFTER_SECONDS
  const isLater = problem.code === 'unavailable' || problem.code === 'rate_limited'
  if (isLater && !reply.hasHeader('retry-after')) reply.header('retry-after', retryAfter)
  if (problem.code === 'unauthorized') reply.header('www-authenticate', 'Bearer')
  const status = STATUS_OF_CODE[problem.code]
  reply.code(status)
  if (!acceptsProblems(reply.request.headers.accept)) return reply.send({ error })
  // As text, because Fastify writes only application/json by itself.
  return reply.type(PROBLEM_JSON).send(JSON.stringify(problemBodyOf(error)))
}

/** An error as RFC 9457 describes it. */
export function problemBodyOf({ code, message: detail, ...rest }: ErrorBody['error']): ProblemBody {
  const status = STATUS_OF_CODE[code]
  return { type: 'about:blank', title: STATUS_CODES[status]!, status, detail, code, ...rest }
}

/** Whether a list of media types names application/problem+json, and not with a quality of 0. */
export function acceptsProblems(accept: string | undefined): boolean {
  if (accept === undefined) return false
  return accept.split(',').some((range) => {
    const [type = '', ...parameters] = range.split(';').map((part) => part.trim().toLowerCase())
    return type === PROBLEM_JSON && !parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter))
  })
}
