/** More than sentences of the SDK have, and less than a page that a proxy sends. */
const CHARACTERS_MAX = 200

/**
 * Why a call of DynamoDB failed, e.g. "ECONNREFUSED", "ResourceNotFoundException" or "Region is missing". The innermost error says it: a connection
 * that fails for both addresses of a host has an error for each. What an answer of DynamoDB says has parts of the request, so its name alone is given.
 */
export function dynamoProblem(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return dynamoProblem(error.errors.at(-1))
  if (!(error instanceof Error)) return 'Error'
  const { code, $fault: fault } = error as NodeJS.ErrnoException & { $fault?: string }
  if (error.cause instanceof Error) return dynamoProblem(error.cause)
  if (typeof code === 'string' && code !== '') return code
  if (fault !== undefined || error.message === '') return error.name
  const message = error.message.split('\n', 1)[0]!.slice(0, CHARACTERS_MAX).replace(/\.$/, '')
  return error.name === 'Error' ? message : `${error.name}: ${message}`
}
