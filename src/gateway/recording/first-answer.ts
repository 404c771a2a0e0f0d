import { DecidedError } from '../../contract/decided-error.ts'
import type { Queryable } from '../../store/database/connection.ts'
import { callOf, recordedBodyOf } from '../../store/log/call.ts'

const LOST =
  'this Idempotency-Key was recorded before, and PostgreSQL has lost it in a failover: an operator runs footfall reconcile --repair; then send the same again'

/**
 * Restate answers a used key with its first answer, whatever is true by now. It does not compare bodies, so the events of another body would be lost
 * silently; after a change of the privacy settings a true repetition has another body too, as long as Restate remembers the key. Nor does
 * it know that PostgreSQL went back to an earlier state. @throws DecidedError when that answer would be false.
 */
export async function refuseFalseAnswer(db: Queryable, invocationId: string, body: Uint8Array): Promise<void> {
  const recorded = await recordedBodyOf(db, callOf(invocationId, body))
  const details = { id: invocationId }
  if (recorded === 'other') throw new DecidedError('conflict', 'the Idempotency-Key was used with another body', { details })
  if (recorded === 'nothing') throw new DecidedError('unavailable', LOST, { details })
}
