import type { Context } from '@restatedev/restate-sdk'
import type { CreateInteractionResponse } from '../../src/contract/interaction.ts'
import { recordEvents } from '../../src/store/reports/analytics-event.ts'
import { checkedCall } from './checked-call.ts'
import type { Deps } from '../handler/deps.ts'
import { judgeEvents } from '../../src/admission/analytics-event.ts'
import { observeRecorded } from '../handler/observer.ts'

/** Judges analytics events, and records them. @throws TerminalError for a body that is too large, or no UTF-8. */
export async function recordEventCall(deps: Deps, ctx: Context, items: readonly unknown[]): Promise<CreateInteractionResponse> {
  const call = checkedCall(ctx)
  const { events, rejections } = judgeEvents(items, await ctx.date.now())
  const { accepted, duplicateIndexes, refused } = await ctx.run('record the events', async () => {
    const { isNew, ...result } = await recordEvents(deps.db, call, events)
    if (isNew) observeRecorded(deps.observer, 'events', result, rejections)
    deps.reached('events committed')
    return result
  })
  return {
    accepted,
    duplicates: duplicateIndexes.length,
    duplicate_indexes: duplicateIndexes,
    rejected: [...rejections, ...refused].sort((one, other) => one.index - other.index),
  }
}
