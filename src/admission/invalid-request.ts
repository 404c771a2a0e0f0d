import type { z } from 'zod'
import { DecidedError, type FieldProblem } from '../contract/decided-error.ts'
import { pathOf } from '../contract/fields/zod-messages.ts'

/** A list of 16,000 wrong values has as many issues, and the first ones are enough to repair a client. */
const DETAILS_MAX = 100

/** Names the wrong fields in its details, up to 100 of them, and the first one in its message. */
export function invalidRequest(issues: readonly z.core.$ZodIssue[]): DecidedError {
  const details = issues
    .slice(0, DETAILS_MAX)
    .map((issue): FieldProblem => ({ field: pathOf(issue).join('.') || null, message: issue.message }))
  const [first] = details
  const message = first ? `${first.field ?? 'the body'}: ${first.message}` : 'the request is not valid'
  return new DecidedError('invalid_request', message, { details })
}
