import { z } from 'zod'

/** Every code that an error answer can carry, with its HTTP status. */
export const STATUS_OF_CODE = {
  invalid_request: 400,
  unauthorized: 401,
  forbidden: 403,
  not_found: 404,
  method_not_allowed: 405,
  conflict: 409,
  too_large: 413,
  rate_limited: 429,
  internal_error: 500,
  unavailable: 503,
} as const
export type ErrorCode = keyof typeof STATUS_OF_CODE

export const ErrorBody = z.object({
  error: z.object({
    code: z.enum(Object.keys(STATUS_OF_CODE) as [ErrorCode, ...ErrorCode[]]),
    message: z.string(),
    details: z.unknown().optional(),
  }),
})
export type ErrorBody = z.infer<typeof ErrorBody>

/** The same error as RFC 9457 describes it, for callers that accept application/problem+json. */
export const ProblemBody = z.object({
  type: z.literal('about:blank').describe('The status says what kind of problem it is, and `code` which.'),
  title: z.string().describe("The status in words, e.g. 'Bad Request'."),
  status: z.int(),
  detail: z.string().describe('The `message` of the usual form.'),
  code: ErrorBody.shape.error.shape.code,
  details: z.unknown().optional(),
})
export type ProblemBody = z.infer<typeof ProblemBody>
