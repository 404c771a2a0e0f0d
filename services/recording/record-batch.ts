import type { Context } from '@restatedev/restate-sdk'
import { judgeInteractions } from '../../src/admission/interaction.ts'
import type { Judged } from '../../src/admission/judge-each.ts'
import type { NewEventId } from '../../src/admission/logged-event.ts'
import { withPrivacy } from '../../src/admission/privacy.ts'
import type { LogRow, NewInteraction, NewSearch } from '../../src/admission/rows.ts'
import { judgeSearches } from '../../src/admission/search.ts'
import type { CreateInteractionResponse } from '../../src/contract/interaction.ts'
import { recordRows } from '../../src/store/log/batch.ts'
import { eventIdFor } from '../../src/store/log/call.ts'
import { INTERACTIONS } from '../../src/store/log/interaction.ts'
import type { LogTable } from '../../src/store/log/log-table.ts'
import { SEARCHES } from '../../src/store/log/search.ts'
import type { Deps } from '../handler/deps.ts'
import { recordedAnswer } from './answer.ts'
import { checkedCall } from './checked-call.ts'
import { fanOut } from './fan-out.ts'

/** How items of a kind are checked, and the table of their rows. */
export interface Recording<Row extends LogRow> {
  judge: (items: readonly unknown[], nowMs: number, newEventId: NewEventId) => Judged<Row>
  table: LogTable<Row>
}

export const INTERACTION_RECORDING: Recording<NewInteraction> = { judge: judgeInteractions, table: INTERACTIONS }
export const SEARCH_RECORDING: Recording<NewSearch> = { judge: judgeSearches, table: SEARCHES }

/**
 * Checks the items of a call, records the valid ones and sends the batch on.
 * @throws DecidedError for a body that is too large or not UTF-8.
 */
export async function recordCall<Row extends LogRow>(
  { judge, table }: Recording<Row>,
  deps: Deps,
  ctx: Context,
  items: readonly unknown[],
): Promise<CreateInteractionResponse> {
  const call = checkedCall(ctx)
  const stripped = items.map((item) => withPrivacy(item, deps.privacy))
  const { rows, rejections } = judge(stripped, await ctx.date.now(), (index, time) => eventIdFor(call, index, time))
  const recorded = await ctx.run('record the batch', async () => {
    const { isNew, ...result } = await recordRows(deps.db, table, call, rows, rejections)
    const { accepted, duplicateIndexes, rejected } = result
    const all = [...rejections, ...rejected]
    if (isNew) deps.observer.recorded({ kind: table.kind, accepted, duplicates: duplicateIndexes.length, rejected: all })
    return result
  })
  fanOut(ctx, table.kind, recorded)
  return recordedAnswer({ ...recorded, rejected: [...rejections, ...recorded.rejected] })
}
