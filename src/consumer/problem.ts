/**
 * What is wrong, in a sentence. The errors of the client have one for each broker and attempt inside, and say little themselves; the last one says
 * e.g. "Connection to kafka:9092 failed: connect ECONNREFUSED 10.0.0.7:9092".
 */
export function problemOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return problemOf(error.errors.at(-1))
  if (!(error instanceof Error)) return String(error)
  const message = error.message.replace(/\.$/, '')
  return error.cause === undefined ? message : `${message}: ${problemOf(error.cause)}`
}
