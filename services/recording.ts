import type { Context } from '@restatedev/restate-sdk'
import type { CreateInteractionResponse } from '../src/contract/interaction.ts'
import type { RecordedBatch } from '../src/contract/services.ts'
import { type Call, eventIdFor } from '../src/store/call.ts'
import type { Store } from '../src/store/database.ts'
import { type InsertBatch, recordBatch, type RecordedBatchResult } from '../src/store/interaction-batch.ts'
import type { NewInteraction, NewRejection } from '../src/store/interaction-row.ts'
import type { LogRow } from '../src/store/log-table.ts'
import { withPrivacy } from '../src/store/privacy.ts'
import { type NewSearch, recordSearches } from '../src/store/search.ts'
import { judge, type Judged, judgeSearches, type NewEventId } from './admission.ts'
import { checkedCall } from './checked-call.ts'
import type { Deps } from './deps.ts'
import { sendOn, sendSearchesOn } from './fan-out.ts'
import { type Recorded, tellRecorded } from './observer.ts'

/** What a call records: how its items are judged, where they go, and who hears of it. */
export interface Recording<Row extends LogRow> {
  of: Recorded
  judge: (items: readonly unknown[], nowMs: number, newEventId: NewEventId) => Judged<Row>
  record: (
    db: Store,
    call: Call,
    rows: readonly Row[],
    rejections: readonly NewRejection[],
    insert?: InsertBatch<Row>,
  ) => Promise<RecordedBatchResult>
  sendOn: (deps: Deps, ctx: Context, batch: RecordedBatch) => void
}

export const INTERACTIONS: Recording<NewInteraction> = { of: 'interactions', judge, record: recordBatch, sendOn }
export const SEARCHES: Recording<NewSearch> = {
  of: 'searches',
  judge: judgeSearches,
  record: recordSearches,
  sendOn: sendSearchesOn,
}

/** Judges, records, and sends the batch on. @throws TerminalError for a body that is too large, or no UTF-8. */
export async function recordCall<Row extends LogRow>(
  recording: Recording<Row>,
  deps: Deps,
  ctx: Context,
  items: readonly unknown[],
): Promise<CreateInteractionResponse> {
  const call = checkedCall(ctx)
  const kept = items.map((item) => withPrivacy(item, deps.privacy))
  const judged = recording.judge(kept, await ctx.date.now(), (index, time) => eventIdFor(call, index, time))
  const recorded = await ctx.run('record the batch', async () => {
    const { isNew, ...result } = await recording.record(deps.db, call, judged.rows, judged.rejections)
    if (isNew) tellRecorded(deps.observer, recording.of, result, judged.rejections)
    deps.reached('batch committed')
    return result
  })
  recording.sendOn(deps, ctx, { batch_id: recorded.batchId, from: recorded.from, to: recorded.to })
  const rejections = judged.rejections.map(({ index, code, field, message }) => ({ index, code, field, message }))
  return {
    accepted: recorded.accepted,
    duplicates: recorded.duplicateIndexes.length,
    duplicate_indexes: recorded.duplicateIndexes,
    rejected: [...rejections, ...recorded.refused].sort((one, other) => one.index - other.index),
  }
}
