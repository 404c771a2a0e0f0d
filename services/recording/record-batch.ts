import type { Context } from '@restatedev/restate-sdk'
import type { CreateInteractionResponse } from '../../src/contract/interaction.ts'
import { eventIdFor } from '../../src/store/log/call.ts'
import { recordRows } from '../../src/store/log/batch.ts'
import { INTERACTIONS } from '../../src/store/log/interaction.ts'
import type { LogTable } from '../../src/store/log/log-table.ts'
import { withPrivacy } from '../../src/admission/privacy.ts'
import { SEARCHES } from '../../src/store/log/search.ts'
import { judge, type Judged, judgeSearches, type NewEventId } from '../../src/admission/interaction.ts'
import { checkedCall } from './checked-call.ts'
import type { Deps } from '../handler/deps.ts'
import { fanOut } from './fan-out.ts'
import { type Recorded, observeRecorded } from '../handler/observer.ts'
import type { LogRow, NewInteraction, NewSearch } from '../../src/admission/rows.ts'

/** What a call records: how its items are judged, and where they go. */
export interface Recording<Row extends LogRow> {
  of: Recorded
  judge: (items: readonly unknown[], nowMs: number, newEventId: NewEventId) => Judged<Row>
  table: LogTable<Row>
}

export const INTERACTION_RECORDING: Recording<NewInteraction> = { of: 'interactions', judge, table: INTERACTIONS }
export const SEARCH_RECORDING: Recording<NewSearch> = { of: 'searches', judge: judgeSearches, table: SEARCHES }

/** Judges, records, and sends the batch on. @throws TerminalError for a body that is too large, or no UTF-8. */
export async function recordCall<Row extends LogRow>(
  { of, judge, table }: Recording<Row>,
  deps: Deps,
  ctx: Context,
  items: readonly unknown[],
): Promise<CreateInteractionResponse> {
  const call = checkedCall(ctx)
  const kept = items.map((item) => withPrivacy(item, deps.privacy))
  const judged = judge(kept, await ctx.date.now(), (index, time) => eventIdFor(call, index, time))
  const recorded = await ctx.run('record the batch', async () => {
    const { isNew, ...result } = await recordRows(deps.db, table, call, judged.rows, judged.rejections)
    if (isNew) observeRecorded(deps.observer, of, result, judged.rejections)
    deps.reached('batch committed')
    return result
  })
  fanOut(deps, ctx, { batch_id: recorded.batchId, from: recorded.from, to: recorded.to }, table.isSearch)
  const rejections = judged.rejections.map(({ index, code, field, message }) => ({ index, code, field, message }))
  return {
    accepted: recorded.accepted,
    duplicates: recorded.duplicateIndexes.length,
    duplicate_indexes: recorded.duplicateIndexes,
    rejected: [...rejections, ...recorded.refused].sort((one, other) => one.index - other.index),
  }
}
