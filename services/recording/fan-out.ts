import type { Context } from '@restatedev/restate-sdk'
import { type Kind, KINDS } from '../../src/contract/kinds.ts'
import { catalogApi, popularityApi } from '../../src/contract/services.ts'
import type { BatchBounds } from '../../src/store/log/batch.ts'

/**
 * Sends a recorded batch to the services that count it. Every attempt sends it, because a repeated attempt does not know how far
 * the first one got.
 */
export function fanOut(ctx: Context, kind: Kind, { batchId, from, to }: BatchBounds): void {
  const batch = { batch_id: batchId, from, to }
  ctx.sendClient(popularityApi).HandlePopularityEvent(batch)
  if (KINDS[kind].isFed) ctx.sendClient(catalogApi).AddInteraction(batch)
}
