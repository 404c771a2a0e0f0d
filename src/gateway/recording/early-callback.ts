import { timeProblem } from '../../admission/time-problem.ts'
import { DecidedError } from '../../contract/decided-error.ts'
import { millisecondsOf } from '../../contract/fields/time.ts'
import type { RejectedItem } from '../../contract/interaction.ts'
import type { RecordPaymentResponse } from '../../contract/payment.ts'

/** The codes of rejections that time removes. A provider takes 200 for the end, so it must get an error, and sends the callback again. */
const EARLY = new Set(['in_future', 'not_yet'])

/** @throws DecidedError (unavailable) when a callback is from the future by this gateway's clock: nothing is recorded. */
export function refuseFutureCallbacks(callbacks: readonly object[], nowMs: number): void {
  for (const callback of callbacks) {
    const { occurred_at: occurredAt } = callback as { occurred_at?: unknown }
    if (typeof occurredAt !== 'string') continue
    const problem = timeProblem(millisecondsOf(occurredAt), nowMs)
    if (problem?.code === 'in_future') throw sendAgain(problem)
  }
}

/** @throws DecidedError (unavailable) when a callback was rejected for now. The others of its request are recorded. */
export function refuseEarlyCallbacks({ rejected }: RecordPaymentResponse): void {
  const early = rejected.find(({ code }) => EARLY.has(code))
  if (early !== undefined) throw sendAgain(early)
}

function sendAgain({ field, message }: Pick<RejectedItem, 'field' | 'message'>): DecidedError {
  const problem = field === null ? message : `${field} ${message}`
  return new DecidedError('unavailable', `${problem}; send the same callback again later`)
}
