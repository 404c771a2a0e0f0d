import type { Context } from '@restatedev/restate-sdk'
import { type Kind, KINDS } from '../../src/contract/kinds.ts'
import { catalogApi, popularityApi } from '../../src/contract/services.ts'
import type { BatchBounds } from '../../src/store/log/batch.ts'

/**
 * Sends a recorded batch to the services that count it. Every attempt sends it, because a repeated attempt does not know how far
 * the first one got. The call is that of the step's journalled result: a call that the release before left half-way has none there, and
 * must send what it sent.
 */
export function fanOut(ctx: Context, kind: Kind, { batchId, from, to, call }: BatchBounds): void {
  const batch = { batch_id: batchId, from, to, call }
  ctx.sendClient(popularityApi).HandlePopularityEvent(batch)
  if (KINDS[kind].isFed) ctx.sendClient(catalogApi).AddInteraction(batch)
}
