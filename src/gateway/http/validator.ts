import type { FastifySchemaCompiler } from 'fastify'
import type { z } from 'zod'
import { DecidedError, type FieldProblem } from '../../contract/decided-error.ts'
import { pathOf, plainMessage } from '../../contract/fields/zod-messages.ts'

/** Checks the parts of a request against the schemas of its route. */
export const validatorCompiler: FastifySchemaCompiler<z.ZodType> =
  ({ schema }) =>
  (value) => {
    const { data, error } = schema.safeParse(value, { error: plainMessage })
    return error === undefined ? { value: data } : { error: invalidRequest(error.issues) }
  }

/** Names every wrong field in its details, and the first one in its message. */
function invalidRequest(issues: readonly z.core.$ZodIssue[]): DecidedError {
  const details = issues.map((issue): FieldProblem => ({ field: pathOf(issue).join('.') || null, message: issue.message }))
  const [first] = details
  const message = first ? `${first.field ?? 'the body'}: ${first.message}` : 'the request is not valid'
  return new DecidedError('invalid_request', message, { details })
}
