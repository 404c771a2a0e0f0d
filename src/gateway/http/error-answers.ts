import { PROBLEM_JSON, problemBodyOf } from './problem.ts'
import { type ErrorBody, type ErrorCode, STATUS_OF_CODE } from '../../contract/error.ts'

interface Described {
  description: string
  example: Omit<ErrorBody['error'], 'code'>
  headers?: Record<string, object>
}

const RETRY_AFTER = { 'retry-after': { type: 'integer', minimum: 0, description: 'Seconds to wait before trying again.' } }

/** How each error looks to a caller. A route may give a description of its own. */
const ERRORS: Record<ErrorCode, Described> = {
  invalid_request: {
    description: 'The request is not as described here; `details` names the fields.',
    example: {
      message: 'nonsense: is not a known field',
      details: [{ field: 'nonsense', message: 'is not a known field' }],
    },
  },
  unauthorized: {
    description: 'The request shows no key, an unknown or revoked key, or a token that is not valid.',
    example: { message: 'show a key: Authorization: Bearer <key>' },
    headers: { 'www-authenticate': { type: 'string', description: 'Bearer' } },
  },
  forbidden: {
    description:
      'The key does not have the scope, is bound to a seller, or may not be used from that page; or the token names no seller. Without keys: the Host or Origin is not this machine.',
    example: { message: 'the key does not have the scope manage' },
  },
  not_found: { description: 'It does not exist.', example: { message: 'no event of product lamp was ever counted' } },
  method_not_allowed: {
    description: 'The address has no such method.',
    example: { message: 'this address takes GET, HEAD' },
    headers: { allow: { type: 'string', description: 'The methods of the address.' } },
  },
  conflict: {
    description: 'It contradicts an earlier request; `details.id` names what is in the way.',
    example: {
      message: 'the Idempotency-Key was used with another body',
      details: { id: 'inv_1gdJBtdVEcM942bjcDmb1c1khoaJe11Hbz' },
    },
  },
  too_large: { description: 'The body is too large.', example: { message: 'the body is over 16 MiB' } },
  rate_limited: {
    description:
      'The key, or the tokens of the seller, made too many requests in this minute; or events of a request with an Idempotency-Key are invalid, and too many were rejected in this hour to keep them; the same for more than 100 invalid events of a publishable key.',
    example: { message: 'at most 600 requests a minute are taken; try again in 27 seconds' },
    headers: RETRY_AFTER,
  },
  internal_error: {
    description: 'A fault of the gateway; its log has the cause under the `x-request-id` of the answer.',
    example: { message: 'something went wrong here; the log has the request id' },
  },
  unavailable: {
    description: 'The database, or the issuer of a token, does not answer; or too many reads of the caller wait. Try again.',
    example: { message: 'the database does not answer; try again' },
    headers: RETRY_AFTER,
  },
}

const OF_EVERY_ROUTE = ['invalid_request', 'forbidden', 'internal_error', 'unavailable'] as const
const WITH_KEYS = ['unauthorized', 'rate_limited'] as const

/** All answers of a route: its successes as they are, its errors, and the errors that every route of its access can give. */
export function errorAnswersOf(answers: Record<string, { description?: string }>, needsKey: boolean): Record<string, object> {
  const common = [...OF_EVERY_ROUTE, ...(needsKey ? WITH_KEYS : [])].map((code) => [STATUS_OF_CODE[code], {}] as const)
  const all: [string, { description?: string }][] = Object.entries({ ...Object.fromEntries(common), ...answers })
  return Object.fromEntries(
    all.map(([status, answer]) => {
      const code = codeOfStatus(Number(status))
      return [status, code === undefined ? answer : errorAnswer(code, answer.description)]
    }),
  )
}

function codeOfStatus(status: number): ErrorCode | undefined {
  return (Object.keys(STATUS_OF_CODE) as ErrorCode[]).find((code) => STATUS_OF_CODE[code] === status)
}

function errorAnswer(code: ErrorCode, description = ERRORS[code].description): object {
  const { example, headers } = ERRORS[code]
  const body: ErrorBody = { error: { code, ...example } }
  return {
    description,
    ...(headers && { headers }),
    content: {
      'application/json': { schema: { $ref: '#/components/schemas/Error' }, example: body },
      [PROBLEM_JSON]: { schema: { $ref: '#/components/schemas/Problem' }, example: problemBodyOf(body.error) },
    },
  }
}
