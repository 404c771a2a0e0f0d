import type { Context } from '@restatedev/restate-sdk'
import type { RecordPaymentResponse } from '../../src/contract/payment.ts'
import { type PaymentResult, recordPayments } from '../../src/store/payments/payment-recording.ts'
import { checkedCall } from './checked-call.ts'
import type { Deps } from '../handler/deps.ts'
import { fanOut } from './fan-out.ts'
import { judgePayments } from '../../src/admission/payment.ts'

/**
 * Judges callbacks of payment providers, records them with all that follows from them, and sends the interactions on.
 * @returns what became of each, in their order. @throws TerminalError for a body that is too large, or no UTF-8.
 */
export async function recordPaymentCall(deps: Deps, ctx: Context, items: readonly unknown[]): Promise<RecordPaymentResponse[]> {
  const call = checkedCall(ctx)
  const { payments, rejections } = judgePayments(items, await ctx.date.now())
  const { batch, answers } = await ctx.run('record the payments', async () => {
    const recorded = await recordPayments(deps.db, call, payments, rejections)
    const answers = new Map(recorded.results.map((result) => [result.index, answerOf(result)]))
    for (const { index, code, field, message } of rejections) answers.set(index, rejecting([{ index: 0, code, field, message }]))
    const inOrder = items.map((_item, index) => answers.get(index)!)
    if (recorded.isNew) deps.observer.paid(inOrder)
    deps.reached('batch committed')
    return { batch: recorded.batch, answers: inOrder }
  })
  if (batch !== undefined) fanOut(deps, ctx, { batch_id: batch.batchId, from: batch.from, to: batch.to }, false)
  return answers
}

/** What the sender of a callback is told. */
export function answerOf({ isRecorded, rejection, refused }: PaymentResult): RecordPaymentResponse {
  if (rejection !== undefined) {
    const { code, field, message } = rejection
    return rejecting([{ index: 0, code, field, message }])
  }
  const partly = rejecting(refused.map(({ field, message }) => ({ index: 0, code: 'refused', field, message })))
  return isRecorded ? { ...partly, accepted: 1 } : { ...partly, duplicates: 1, duplicate_indexes: [0] }
}

function rejecting(rejected: RecordPaymentResponse['rejected']): RecordPaymentResponse {
  return { accepted: 0, duplicates: 0, duplicate_indexes: [], rejected }
}
