import type { Context } from '@restatedev/restate-sdk'
import type { Impression } from '../../src/contract/impression.ts'
import { recordImpressions } from '../../src/store/recommendations/impressions.ts'
import { recordedAnswer } from './answer.ts'
import { checkedCall } from './checked-call.ts'
import type { RecordingDeps } from './recording-deps.ts'

/** Records impressions, each once. No event follows from them, so nothing is sent on. */
export async function recordImpressionCall(deps: RecordingDeps, ctx: Context, impressions: readonly Impression[]) {
  const call = checkedCall(ctx)
  const added = await deps.step(ctx, 'record the impressions', async () => {
    const count = await recordImpressions(deps.db, impressions, deps.tombstones, call)
    deps.observer.impressions(count)
    return count
  })
  return { ...recordedAnswer({ accepted: added, duplicateIndexes: [], rejected: [] }), duplicates: impressions.length - added }
}
