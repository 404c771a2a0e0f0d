import type { IncomingMessage } from 'node:http'

/** As long as the longest pause between attempts. */
const SECONDS_MAX = 3_600
const SECONDS = /^\d{1,9}$/
const DATE = / GMT$/

/**
 * For how many seconds the sender of this answer wants no further request: its Retry-After, in seconds or as a date (RFC 9110, section
 * 10.2.3), if its status is 429 or 503. At most an hour. Undefined when it does not say.
 */
export function retryAfterOf(
  { statusCode, headers }: Pick<IncomingMessage, 'statusCode' | 'headers'>,
  nowMs: number,
): number | undefined {
  const text = headers['retry-after']?.trim()
  if (text === undefined || (statusCode !== 429 && statusCode !== 503)) return undefined
  if (SECONDS.test(text)) return bounded(Number(text))
  return DATE.test(text) ? bounded((Date.parse(text) - nowMs) / 1_000) : undefined
}

function bounded(seconds: number): number | undefined {
  return seconds > 0 ? Math.min(Math.ceil(seconds), SECONDS_MAX) : undefined
}
