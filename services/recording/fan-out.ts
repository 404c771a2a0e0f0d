import type { Context } from '@restatedev/restate-sdk'
import { catalogApi, popularityApi, type RecordedBatch } from '../../src/contract/services.ts'
import type { Deps } from '../handler/deps.ts'

/**
 * Sends a recorded batch to everyone who counts it: always, because a repeated attempt does not know whether the first one did.
 * In searches there is nothing for the profiles.
 */
export function fanOut(deps: Deps, ctx: Context, batch: RecordedBatch, isSearch: boolean): void {
  ctx.sendClient(popularityApi).HandlePopularityEvent(batch)
  if (!isSearch) {
    deps.reached('between the sends')
    ctx.sendClient(catalogApi).AddInteraction(batch)
  }
  deps.reached('before the answer')
}
