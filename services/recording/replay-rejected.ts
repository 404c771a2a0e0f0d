import type { Context } from '@restatedev/restate-sdk'
import { withCorrection, correctedItem } from '../../src/admission/correction.ts'
import { judgePayments } from '../../src/admission/payment.ts'
import { withPrivacy } from '../../src/admission/privacy.ts'
import { DecidedError, invalidField, notFound } from '../../src/contract/decided-error.ts'
import type { KindWith } from '../../src/contract/kinds.ts'
import { rejectedIdOf, type ReplayRejectedRequest, type ReplayRejectedResponse } from '../../src/contract/rejected.ts'
import type { RecordedBatch } from '../../src/contract/recorded-batch.ts'
import { type Call, callOf, eventIdFor } from '../../src/store/log/call.ts'
import { findRejectedItem, type ReplayOf } from '../../src/store/log/rejected-replay.ts'
import { recordPayments } from '../../src/store/payments/payment-recording.ts'
import type { Deps } from '../handler/deps.ts'
import { fanOut } from './fan-out.ts'
import { rejectedAgain, type Replay, type Replayed } from './replay.ts'
import { replayRecord } from './replay-record.ts'
import { RECORDINGS } from './record-batch.ts'
import type { RecordingDeps } from './recording-deps.ts'
import { paymentAnswer } from './record-payments.ts'

/**
 * Sends a rejected event again as a call of one. The item is read inside the step that records it, and not in a step of its own,
 * because the journal would keep an item of 16 MiB.
 */
export async function replayRejected(
  deps: RecordingDeps,
  ctx: Context,
  request: ReplayRejectedRequest,
): Promise<ReplayRejectedResponse> {
  const { id, body } = ctx.request()
  const call = callOf(id.toString(), body)
  const nowMs = await ctx.date.now()
  const { set, callbacks, actor = 'unknown', ...rejected } = request
  const key: ReplayOf = { ...rejected, actor }
  const replayed = await deps.step(ctx, 'record the replay', () => replayItem(deps, call, { key, set, callbacks, nowMs }))
  fanOutReplay(ctx, replayed)
  return replayed.answer
}

/** Replays an event as this call. A repeated attempt changes nothing. @throws DecidedError when there is no such event, or another call replayed it. */
export async function replayItem(deps: Deps, call: Call, replay: Omit<Replay, 'item'>): Promise<JournalledReplay> {
  const item = await findRejectedItem(deps.db, replay.key)
  if (item === undefined) throw notFound(`there is no rejected event ${rejectedIdOf(replay.key)}`)
  const { batch, answer } = await recordReplay(deps, call, { ...replay, item })
  const { batchId: batch_id, ...bounds } = batch
  // What follows from a webhook is what follows from its payment callbacks.
  // A record has a batch of interactions; that of a product event is empty.
  const kind = item.kind === 'webhook' ? 'payment' : item.kind === 'record' ? 'interaction' : item.kind
  return { kind, isSearch: kind === 'search', batch: { batch_id, ...bounds }, answer }
}

export function fanOutReplay(ctx: Context, { kind, isSearch, batch }: Omit<JournalledReplay, 'answer'>): void {
  const { batch_id: batchId, ...bounds } = batch
  fanOut(ctx, kind ?? (isSearch ? 'search' : 'interaction'), { batchId, ...bounds })
}

/** The release before wrote no kind. Its names stay, because a call that it left half-way is replayed from its journal. */
export interface JournalledReplay {
  kind?: KindWith<'isKeptWhenRejected'>
  isSearch: boolean
  batch: RecordedBatch
  answer: ReplayRejectedResponse
}

/** @throws DecidedError for a request that does not fit the kind of the item. */
function recordReplay(deps: Deps, call: Call, replay: Replay): Promise<Replayed> {
  const { item, key, set, callbacks } = replay
  if (item.kind === 'webhook') {
    if (set !== undefined) throw invalidField('set', 'is for events; a webhook is replayed with the callbacks of its adapter')
    if (callbacks === undefined) {
      const problem = `${rejectedIdOf(key)} is a webhook: ./footfall rejected replay maps it by its adapter, where PAYMENT_ADAPTERS is set`
      throw new DecidedError('conflict', problem)
    }
    return recordCallbacks(deps, call, replay, callbacks)
  }
  if (callbacks !== undefined) throw invalidField('callbacks', `is for webhooks, and ${rejectedIdOf(key)} is none`)
  if (item.kind === 'record') return replayRecord(deps, call, { ...replay, key })
  if (item.kind === 'payment') return recordCallbacks(deps, call, replay, [withCorrection(item.item, set)])
  return recordEventReplay(item.kind, deps, call, replay)
}

async function recordEventReplay(kind: KindWith<'isBatched'>, deps: Deps, call: Call, replay: Replay): Promise<Replayed> {
  const { item, key, set, nowMs } = replay
  const newEventId = (timeMs: number) => eventIdFor(item.call, key.index, timeMs)
  const sent = withPrivacy(correctedItem(item.item, set, item.receivedAtMs, newEventId), deps.privacy)
  const { rejections, firstEventId, record } = await RECORDINGS[kind]([sent], nowMs, (_index, timeMs) => newEventId(timeMs))
  const { batchId, from, to, call: callId, accepted, rejected } = await record(deps, call, key)
  const batch = { batchId, from, to, call: callId }
  const rejection = rejections[0] ?? rejected[0]
  if (rejection !== undefined) return { batch, answer: rejectedAgain(batchId, rejection) }
  return { batch, answer: { outcome: accepted === 1 ? 'accepted' : 'duplicate', event_id: firstEventId! } }
}

async function recordCallbacks(
  deps: Deps,
  call: Call,
  { item, key, nowMs }: Replay,
  callbacks: readonly unknown[],
): Promise<Replayed> {
  const { rows: payments, rejections } = judgePayments(callbacks, nowMs)
  const replayOf = { ...key, isWebhook: item.kind === 'webhook' }
  const { results, isNew, ...recorded } = await recordPayments(deps.db, call, payments, rejections, replayOf, deps.tombstones)
  if (isNew && results.length > 0) deps.observer.paid(results.map(paymentAnswer))
  // A replay has a batch even when no interaction follows from it.
  const batch = recorded.batch!
  const rejection = rejections[0] ?? results.find((result) => result.rejection !== undefined)?.rejection
  if (rejection !== undefined) return { batch, answer: rejectedAgain(batch.batchId, rejection) }
  if (results.length === 0) return { batch, answer: { outcome: 'ignored' } }
  return { batch, answer: { outcome: results.some(({ isRecorded }) => isRecorded) ? 'accepted' : 'duplicate' } }
}
