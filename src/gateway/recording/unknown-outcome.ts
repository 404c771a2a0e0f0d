import { DecidedError } from '../../contract/decided-error.ts'
import { BODY_BYTES_MAX } from '../../contract/interaction.ts'
import { isOutage } from '../../ingress/outage.ts'
import { decidedErrorOf, isTooLarge } from '../../ingress/refusal.ts'

export const TOO_LARGE = `the body and the event ids that it lacks are over ${BODY_BYTES_MAX} bytes: send fewer at once`

interface Texts {
  /** For a call that Restate or the handler finds too large. */
  tooLarge?: string
  /** What a caller needs in order to send the same again. */
  details?: Readonly<Record<string, unknown>>
}

/**
 * The error for the caller of a durable call that failed. A handler's decision is answered as such. After an outage the gateway cannot
 * know whether the call ran; `advice` says what to do then. Every other error stays as it is.
 */
export function unknownOutcome(error: unknown, advice: string, { tooLarge = TOO_LARGE, details }: Texts = {}): unknown {
  if (isTooLarge(error)) return new DecidedError('too_large', tooLarge)
  const decided = decidedErrorOf(error)
  if (decided !== undefined) return decided
  if (!isOutage(error)) return error
  return new DecidedError('unavailable', `outcome unknown, ${advice}`, { cause: error, ...(details && { details }) })
}
