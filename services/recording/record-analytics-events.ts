import type { Context } from '@restatedev/restate-sdk'
import { judgeAnalyticsEvents } from '../../src/admission/analytics-event.ts'
import { judgeInSlices } from '../../src/admission/judge-in-slices.ts'
import type { CreateInteractionResponse } from '../../src/contract/interaction.ts'
import { recordEvents } from '../../src/store/reports/analytics-event.ts'
import { areWide } from '../../src/store/log/wide.ts'
import { journalled, recordedAnswer } from './answer.ts'
import { checkedCall, receivedMsOf } from './checked-call.ts'
import type { RecordingDeps } from './recording-deps.ts'

/** Checks analytics events and records the valid ones. @throws DecidedError for a body that is too large or not UTF-8. */
export async function recordEventCall(
  deps: RecordingDeps,
  ctx: Context,
  items: readonly unknown[],
): Promise<CreateInteractionResponse> {
  const call = checkedCall(ctx)
  const nowMs = await receivedMsOf(ctx)
  const { rows, rejections } = await judgeInSlices(items, (slice) => judgeAnalyticsEvents(slice, nowMs))
  const recorded = await deps.step(ctx, 'record the events', async () => {
    const recordAll = () => recordEvents(deps.db, call, rows, deps.tombstones, rejections.length)
    const { isNew, ...result } = await (areWide(rows) ? deps.recordingWide.analytics_event(recordAll) : recordAll())
    const { accepted, duplicateIndexes, rejected } = result
    const all = [...rejections, ...rejected]
    if (isNew) deps.observer.recorded({ kind: 'analytics_event', accepted, duplicates: duplicateIndexes.length, rejected: all })
    return journalled(result)
  })
  return recordedAnswer({ ...recorded, rejected: [...rejections, ...recorded.refused] })
}
