import type { FastifyError, FastifyReply } from 'fastify'
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod'
import { type ErrorBody, type ErrorCode, STATUS_OF_CODE } from '../../contract/error.ts'
import { BODY_BYTES_MAX } from '../../contract/interaction.ts'
import { isUnavailable } from '../../store/database/connection.ts'
import { RepairIsOpen } from '../../store/proof/verification.ts'

const RETRY_AFTER_SECONDS = 2
export const NOT_JSON = 'content-type must be application/json'

/** A decided answer that is not a success. */
export class Problem extends Error {
  readonly code: ErrorCode
  readonly details: unknown

  constructor(code: ErrorCode, message: string, more: { details?: unknown; cause?: unknown } = {}) {
    super(message, { cause: more.cause })
    this.code = code
    this.details = more.details
  }
}

/** Every error as one of the contract's codes. What is unexpected says nothing of the inside. */
export function problemOf(error: unknown, bodyBytesMax = BODY_BYTES_MAX): Problem {
  if (error instanceof Problem) return error
  if (hasZodFastifySchemaValidationErrors(error)) return invalidRequest(error.validation)
  const { code = '', statusCode = 500 } = error as Partial<FastifyError>
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') return new Problem('too_large', `the body is over ${bodyBytesMax / 1024 / 1024} MiB`)
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') return new Problem('invalid_request', NOT_JSON)
  if (statusCode >= 400 && statusCode < 500) return new Problem('invalid_request', (error as Error).message)
  if (error instanceof RepairIsOpen) return new Problem('unavailable', error.message)
  if (isUnavailable(error)) return new Problem('unavailable', 'the database does not answer; try again', { cause: error })
  return new Problem('internal_error', 'something went wrong here; the log has the request id', { cause: error })
}

function invalidRequest(issues: readonly { instancePath: string; message?: string; params: Record<string, unknown> }[]): Problem {
  const details = issues.map((issue) => {
    const { keys } = issue.params as { keys?: string[] }
    const path = issue.instancePath.split('/').filter(Boolean)
    return { field: [...path, ...(keys?.slice(0, 1) ?? [])].join('.') || null, message: issue.message ?? 'is not valid' }
  })
  const [first] = details
  const message = first ? `${first.field ?? 'the body'}: ${first.message}` : 'the request is not valid'
  return new Problem('invalid_request', message, { details })
}

/** A cursor that is not of the list, or was changed. */
export function invalidCursor(): Problem {
  return wrongField('cursor', 'is not a cursor of this list')
}

export function wrongField(field: string, message: string): Problem {
  return new Problem('invalid_request', `${field}: ${message}`, { details: [{ field, message }] })
}

/** Answers with a problem in the contract's shape. */
export function sendProblem(reply: FastifyReply, problem: Problem): FastifyReply {
  const error: ErrorBody['error'] = { code: problem.code, message: problem.message }
  if (problem.details !== undefined) error.details = problem.details
  if (problem.code === 'unavailable') reply.header('retry-after', RETRY_AFTER_SECONDS)
  if (problem.code === 'unauthorized') reply.header('www-authenticate', 'Bearer')
  return reply.code(STATUS_OF_CODE[problem.code]).send({ error })
}
