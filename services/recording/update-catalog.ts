import type { Context } from '@restatedev/restate-sdk'
import { judgeInSlices } from '../../src/admission/judge-in-slices.ts'
import { judgeProducts, type ProductVersion } from '../../src/admission/product.ts'
import type { UpsertProductsRequest, UpsertProductsResponse } from '../../src/contract/product.ts'
import { staleVersions, upsertProducts } from '../../src/store/catalog/catalog-product.ts'
import { countCall } from '../../src/store/log/ingest.ts'
import type { Call } from '../../src/store/log/call.ts'
import type { Deps } from '../handler/deps.ts'
import { recordedAnswer } from './answer.ts'
import { checkedCall, receivedMsOf } from './checked-call.ts'
import type { RecordingDeps } from './recording-deps.ts'

/** Checks the products, and keeps the newest version of each. */
export async function updateCatalog(
  deps: RecordingDeps,
  ctx: Context,
  request: UpsertProductsRequest,
): Promise<UpsertProductsResponse> {
  const call = checkedCall(ctx)
  const nowMs = await receivedMsOf(ctx)
  const { rows: versions, rejections } = await judgeInSlices(request.products, (slice) => judgeProducts(slice, nowMs))
  const updated = await deps.step(ctx, 'update the catalogue', (): Promise<Updated> =>
    update(deps, call, versions, rejections.length),
  )
  // The release before journalled only the first list.
  const { duplicateIndexes, stale } = Array.isArray(updated) ? { duplicateIndexes: updated, stale: [] } : updated
  const accepted = versions.length - duplicateIndexes.length - stale.length
  return { ...recordedAnswer({ accepted, duplicateIndexes, rejected: rejections }), ...(stale.length > 0 && { stale }) }
}

/** By their indexes, the versions that did not change the catalog. */
interface Unchanged {
  duplicateIndexes: number[]
  /** Versions that differ from the catalog's version of the same time. */
  stale: number[]
}

type Updated = Unchanged | number[]

async function update({ db }: Deps, call: Call, versions: readonly ProductVersion[], rejected: number): Promise<Unchanged> {
  if (versions.length === 0) await countCall(db, call, 'product', { accepted: 0, duplicates: 0, rejected })
  const changed = new Set(versions.length > 0 ? await upsertProducts(db, call, versions, rejected) : [])
  const unchanged = versions.filter(({ index }) => !changed.has(index))
  const stale = unchanged.length > 0 ? await staleVersions(db, unchanged) : []
  const isStale = new Set(stale)
  return { duplicateIndexes: unchanged.flatMap(({ index }) => (isStale.has(index) ? [] : [index])), stale }
}
