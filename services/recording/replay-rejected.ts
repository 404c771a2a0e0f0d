import type { Context } from '@restatedev/restate-sdk'
import { withCorrection, correctedItem } from '../../src/admission/correction.ts'
import { judgePayments } from '../../src/admission/payment.ts'
import { withPrivacy } from '../../src/admission/privacy.ts'
import type { LogRow, Rejection } from '../../src/admission/rows.ts'
import { notFound } from '../../src/contract/decided-error.ts'
import type { KindWith } from '../../src/contract/kinds.ts'
import {
  type Correction,
  rejectedIdOf,
  type ReplayRejectedRequest,
  type ReplayRejectedResponse,
} from '../../src/contract/rejected.ts'
import { type BatchBounds, recordRows } from '../../src/store/log/batch.ts'
import { type Call, callOf, eventIdFor } from '../../src/store/log/call.ts'
import {
  findRejectedItem,
  insertReplayOf,
  type RejectedItemToReplay,
  type ReplayOf,
} from '../../src/store/log/rejected-replay.ts'
import { recordPayments } from '../../src/store/payments/payment-recording.ts'
import type { Deps } from '../handler/deps.ts'
import { fanOut } from './fan-out.ts'
import { INTERACTION_RECORDING, type Recording, SEARCH_RECORDING } from './record-batch.ts'
import { paymentAnswer } from './record-payments.ts'

/**
 * Sends a rejected event again as a call of one. The item is read inside the step that records it, and not in a step of its own,
 * because the journal would keep an item of 16 MiB.
 */
export async function replayRejected(deps: Deps, ctx: Context, request: ReplayRejectedRequest): Promise<ReplayRejectedResponse> {
  const { id, body } = ctx.request()
  const call = callOf(id.toString(), body)
  const nowMs = await ctx.date.now()
  const { set, actor = 'unknown', ...rejected } = request
  const key: ReplayOf = { ...rejected, actor }
  const { kind, batch, answer } = await ctx.run('record the replay', async () => {
    const item = await findRejectedItem(deps.db, key)
    if (item === undefined) throw notFound(`there is no rejected event ${rejectedIdOf(key)}`)
    return { kind: item.kind, ...(await REPLAYS[item.kind](deps, call, { item, key, set, nowMs })) }
  })
  fanOut(ctx, kind, batch)
  return answer
}

interface Replay {
  item: RejectedItemToReplay
  key: ReplayOf
  set: Correction | undefined
  nowMs: number
}

type RecordReplay = (deps: Deps, call: Call, replay: Replay) => Promise<{ batch: BatchBounds; answer: ReplayRejectedResponse }>

/** How an item of each kind that is kept when rejected is recorded again. */
const REPLAYS: Record<KindWith<'isKeptWhenRejected'>, RecordReplay> = {
  interaction: batchReplay(INTERACTION_RECORDING),
  search: batchReplay(SEARCH_RECORDING),
  payment: recordPaymentReplay,
}

function batchReplay<Row extends LogRow>({ judge, table }: Recording<Row>): RecordReplay {
  return async (deps, call, { item, key, set, nowMs }) => {
    const newEventId = (timeMs: number) => eventIdFor(item.call, key.index, timeMs)
    const sent = withPrivacy(correctedItem(item.item, set, item.receivedAtMs, newEventId), deps.privacy)
    const { rows, rejections } = judge([sent], nowMs, (_index, timeMs) => newEventId(timeMs))
    const recorded = await recordRows(deps.db, table, call, rows, rejections, insertReplayOf(key))
    const { accepted, duplicateIndexes, rejected, isNew, ...batch } = recorded
    const all = [...rejections, ...rejected]
    if (isNew) deps.observer.recorded({ kind: table.kind, accepted, duplicates: duplicateIndexes.length, rejected: all })
    const [rejection] = all
    if (rejection !== undefined) return { batch, answer: rejectedAgain(batch.batchId, rejection) }
    return { batch, answer: { outcome: accepted === 1 ? 'accepted' : 'duplicate', event_id: rows[0]!.eventId } }
  }
}

async function recordPaymentReplay(deps: Deps, call: Call, { item, key, set, nowMs }: Replay): ReturnType<RecordReplay> {
  const { rows: payments, rejections } = judgePayments([withCorrection(item.item, set)], nowMs)
  const recorded = await recordPayments(deps.db, call, payments, rejections, key)
  const [result] = recorded.results
  if (recorded.isNew && result !== undefined) deps.observer.paid([paymentAnswer(result)])
  // A replay has a batch even when no interaction follows from it.
  const batch = recorded.batch!
  const rejection = rejections[0] ?? result?.rejection
  if (rejection !== undefined) return { batch, answer: rejectedAgain(batch.batchId, rejection) }
  return { batch, answer: { outcome: result!.isRecorded ? 'accepted' : 'duplicate' } }
}

function rejectedAgain(batchId: string, { index, code, field, message }: Rejection): ReplayRejectedResponse {
  return { outcome: 'rejected', rejection: { id: rejectedIdOf({ batch_id: batchId, index }), code, field, message } }
}
