import { type Context, TerminalError } from '@restatedev/restate-sdk'
import {
  rejectedIdOf,
  type RejectedKey,
  type Repair,
  type ReplayRejectedRequest,
  type ReplayRejectedResponse,
} from '../src/contract/rejected.ts'
import type { RecordedBatch } from '../src/contract/services.ts'
import { type Call, callOf, eventIdFor } from '../src/store/call.ts'
import { recordRows } from '../src/store/interaction-batch.ts'
import { withPrivacy } from '../src/store/privacy.ts'
import type { LogRow } from '../src/store/log-table.ts'
import { insertReplayOf, type RefusedItem, refusedItem } from '../src/store/rejected-replay.ts'
import type { Deps } from './deps.ts'
import { sendOn } from './fan-out.ts'
import { tellRecorded } from './observer.ts'
import { INTERACTION_RECORDING, type Recording, SEARCH_RECORDING } from './recording.ts'
import { itemToReplay } from './repair.ts'

/**
 * Sends a refused interaction or search again as a call of one event. It is read inside the step that records it, and not
 * in one of its own, because the journal would keep an item of 16 MiB.
 */
export async function replayRejected(deps: Deps, ctx: Context, request: ReplayRejectedRequest): Promise<ReplayRejectedResponse> {
  const { id, body } = ctx.request()
  const call = callOf(id.toString(), body)
  const nowMs = await ctx.date.now()
  const { batch, isSearch, answer } = await ctx.run('record the replay', async () => {
    const { set, ...key } = request
    const refused = await refusedItem(deps.db, key)
    if (refused === undefined) throw new TerminalError(`there is no refused interaction ${rejectedIdOf(key)}`, { errorCode: 404 })
    const { isSearch } = refused
    const replayed = isSearch
      ? await recordReplay(SEARCH_RECORDING, deps, call, { refused, key, set, nowMs })
      : await recordReplay(INTERACTION_RECORDING, deps, call, { refused, key, set, nowMs })
    deps.reached('batch committed')
    return { ...replayed, isSearch }
  })
  sendOn(deps, ctx, batch, isSearch)
  return answer
}

interface Replay {
  refused: RefusedItem
  key: RejectedKey
  set: Repair | undefined
  nowMs: number
}

async function recordReplay<Row extends LogRow>(
  { of, judge, table }: Recording<Row>,
  deps: Deps,
  call: Call,
  { refused, key, set, nowMs }: Replay,
): Promise<{ batch: RecordedBatch; answer: ReplayRejectedResponse }> {
  const newEventId = (timeMs: number) => eventIdFor(refused.call, key.index, timeMs)
  const item = withPrivacy(itemToReplay(refused.item, set, refused.receivedAtMs, newEventId), deps.privacy)
  const judged = judge([item], nowMs, (_index, timeMs) => newEventId(timeMs))
  const recorded = await recordRows(deps.db, table, call, judged.rows, judged.rejections, insertReplayOf(key))
  if (recorded.isNew) tellRecorded(deps.observer, of, recorded, judged.rejections)
  const batch = { batch_id: recorded.batchId, from: recorded.from, to: recorded.to }
  const rejection = judged.rejections[0] ?? recorded.refused[0]
  if (rejection !== undefined) {
    const { index, code, field, message } = rejection
    const id = rejectedIdOf({ batch_id: recorded.batchId, index })
    return { batch, answer: { outcome: 'rejected', rejection: { id, code, field, message } } }
  }
  const outcome = recorded.accepted === 1 ? 'accepted' : 'duplicate'
  return { batch, answer: { outcome, event_id: judged.rows[0]!.eventId } }
}
