import { type Context, TerminalError } from '@restatedev/restate-sdk'
import {
  rejectedIdOf,
  type Correction,
  type ReplayRejectedRequest,
  type ReplayRejectedResponse,
} from '../../src/contract/rejected.ts'
import type { RecordedBatch } from '../../src/contract/services.ts'
import { type Call, callOf, eventIdFor } from '../../src/store/log/call.ts'
import { recordRows } from '../../src/store/log/batch.ts'
import { recordPayments } from '../../src/store/payments/payment-recording.ts'
import { withPrivacy } from '../../src/admission/privacy.ts'
import {
  insertReplayOf,
  type RejectedItemToReplay,
  findRejectedItem,
  type ReplayOf,
} from '../../src/store/log/rejected-replay.ts'
import type { Deps } from '../handler/deps.ts'
import { fanOut } from './fan-out.ts'
import { observeRecorded } from '../handler/observer.ts'
import { INTERACTION_RECORDING, type Recording, SEARCH_RECORDING } from './record-batch.ts'
import { judgePayments } from '../../src/admission/payment.ts'
import { answerOf } from './record-payments.ts'
import { correctedItem, corrected } from '../../src/admission/correction.ts'
import type { LogRow, Rejection } from '../../src/admission/rows.ts'

/**
 * Sends a refused interaction, search or payment callback again as a call of one. It is read inside the step that records it, and not
 * in one of its own, because the journal would keep an item of 16 MiB.
 */
export async function replayRejected(deps: Deps, ctx: Context, request: ReplayRejectedRequest): Promise<ReplayRejectedResponse> {
  const { id, body } = ctx.request()
  const call = callOf(id.toString(), body)
  const nowMs = await ctx.date.now()
  const { batch, isSearch, answer } = await ctx.run('record the replay', async () => {
    const { set, actor = 'unknown', ...rejected } = request
    const key: ReplayOf = { ...rejected, actor }
    const refused = await findRejectedItem(deps.db, key)
    if (refused === undefined) throw new TerminalError(`there is no refused interaction ${rejectedIdOf(key)}`, { errorCode: 404 })
    const { isSearch, isPayment } = refused
    const replay: Replay = { refused, key, set, nowMs }
    const replayed = await (isPayment
      ? recordPaymentReplay(deps, call, replay)
      : isSearch
        ? recordReplay(SEARCH_RECORDING, deps, call, replay)
        : recordReplay(INTERACTION_RECORDING, deps, call, replay))
    deps.reached('batch committed')
    return { ...replayed, isSearch }
  })
  fanOut(deps, ctx, batch, isSearch)
  return answer
}

interface Replay {
  refused: RejectedItemToReplay
  key: ReplayOf
  set: Correction | undefined
  nowMs: number
}

async function recordReplay<Row extends LogRow>(
  { of, judge, table }: Recording<Row>,
  deps: Deps,
  call: Call,
  { refused, key, set, nowMs }: Replay,
): Promise<{ batch: RecordedBatch; answer: ReplayRejectedResponse }> {
  const newEventId = (timeMs: number) => eventIdFor(refused.call, key.index, timeMs)
  const item = withPrivacy(correctedItem(refused.item, set, refused.receivedAtMs, newEventId), deps.privacy)
  const judged = judge([item], nowMs, (_index, timeMs) => newEventId(timeMs))
  const recorded = await recordRows(deps.db, table, call, judged.rows, judged.rejections, insertReplayOf(key))
  if (recorded.isNew) observeRecorded(deps.observer, of, recorded, judged.rejections)
  const batch = { batch_id: recorded.batchId, from: recorded.from, to: recorded.to }
  const rejection = judged.rejections[0] ?? recorded.refused[0]
  if (rejection !== undefined) return { batch, answer: refusedAgain(recorded.batchId, rejection) }
  const outcome = recorded.accepted === 1 ? 'accepted' : 'duplicate'
  return { batch, answer: { outcome, event_id: judged.rows[0]!.eventId } }
}

async function recordPaymentReplay(
  deps: Deps,
  call: Call,
  { refused, key, set, nowMs }: Replay,
): Promise<{ batch: RecordedBatch; answer: ReplayRejectedResponse }> {
  const { payments, rejections } = judgePayments([corrected(refused.item, set)], nowMs)
  const recorded = await recordPayments(deps.db, call, payments, rejections, key)
  const [result] = recorded.results
  if (recorded.isNew && result !== undefined) deps.observer.paid([answerOf(result)])
  // A replay has a batch also when no interaction follows.
  const { batchId, from, to } = recorded.batch!
  const rejection = rejections[0] ?? result?.rejection
  const answer: ReplayRejectedResponse =
    rejection === undefined ? { outcome: result!.isRecorded ? 'accepted' : 'duplicate' } : refusedAgain(batchId, rejection)
  return { batch: { batch_id: batchId, from, to }, answer }
}

function refusedAgain(batchId: string, { index, code, field, message }: Rejection): ReplayRejectedResponse {
  return { outcome: 'rejected', rejection: { id: rejectedIdOf({ batch_id: batchId, index }), code, field, message } }
}
