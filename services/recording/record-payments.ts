import type { Context } from '@restatedev/restate-sdk'
import { judgePayments } from '../../src/admission/payment.ts'
import type { RecordPaymentResponse } from '../../src/contract/payment.ts'
import { type PaymentResult, recordPayments } from '../../src/store/payments/payment-recording.ts'
import { recordedAnswer } from './answer.ts'
import { checkedCall, receivedMsOf } from './checked-call.ts'
import { fanOut } from './fan-out.ts'
import type { RecordingDeps } from './recording-deps.ts'

/**
 * Checks callbacks of payment providers, records them with the events, interactions and sale lines that follow from them, and sends
 * the interactions on. @returns the answer to each callback, in their order. @throws DecidedError for a body that is too large or not UTF-8.
 */
export async function recordPaymentCall(
  deps: RecordingDeps,
  ctx: Context,
  items: readonly unknown[],
): Promise<RecordPaymentResponse[]> {
  const call = checkedCall(ctx)
  const { rows: payments, rejections } = judgePayments(items, await receivedMsOf(ctx))
  const { batch, answers } = await deps.step(ctx, 'record the payments', async () => {
    const recorded = await recordPayments(deps.db, call, payments, rejections, undefined, deps.tombstones)
    const answers = new Map(recorded.results.map((result) => [result.index, paymentAnswer(result)]))
    for (const rejection of rejections) answers.set(rejection.index, rejecting([rejection]))
    const inOrder = items.map((_item, index) => answers.get(index)!)
    if (recorded.isNew) deps.observer.paid(inOrder)
    return { batch: recorded.batch, answers: inOrder }
  })
  if (batch !== undefined) fanOut(ctx, 'payment', batch)
  return answers
}

/** The answer to the sender of one callback. */
export function paymentAnswer({ isRecorded, rejection, shortfalls }: PaymentResult): RecordPaymentResponse {
  if (rejection !== undefined) return rejecting([rejection])
  const inPart = rejecting(shortfalls.map(({ field, message }) => ({ code: 'refused', field, message })))
  return isRecorded ? { ...inPart, accepted: 1 } : { ...inPart, duplicates: 1, duplicate_indexes: [0] }
}

function rejecting(rejected: readonly Omit<RecordPaymentResponse['rejected'][number], 'index'>[]): RecordPaymentResponse {
  const each = rejected.map((rejection) => ({ ...rejection, index: 0 }))
  return recordedAnswer({ accepted: 0, duplicateIndexes: [], rejected: each })
}
