import type { Context } from '@restatedev/restate-sdk'
import { judgeInSlices } from '../src/admission/judge-in-slices.ts'
import { judgeProducts, type ProductVersion } from '../src/admission/product.ts'
import { notFound } from '../src/contract/decided-error.ts'
import type { UpsertProductsRequest, UpsertProductsResponse } from '../src/contract/product.ts'
import { catalogApi } from '../src/contract/services.ts'
import { catalogProduct, staleVersions, upsertProducts } from '../src/store/catalog/catalog-product.ts'
import type { Call } from '../src/store/log/call.ts'
import { preferencesOf } from '../src/store/preferences/preferences.ts'
import { feedBatch, isFed } from '../src/store/shoppers/shopper-profile.ts'
import type { Deps } from './handler/deps.ts'
import { BACKGROUND, READ, RECORD } from './handler/handler-options.ts'
import { serviceOf } from './handler/with-options.ts'
import { recordedAnswer } from './recording/answer.ts'
import { checkedCall } from './recording/checked-call.ts'
import { takeBatch } from './recording/take-batch.ts'

/** Catalog: the products of the shop, and the profiles of shoppers. */
export const catalog = (deps: Deps) =>
  serviceOf(
    catalogApi,
    deps,
    { retryPolicy: deps.retryPolicy },
    {
      AddInteraction: [
        BACKGROUND,
        (ctx, batch) =>
          takeBatch(deps, ctx, batch, { step: 'feed the profiles', target: 'profiles', take: feedBatch, isTaken: isFed }),
      ],

      UpsertProducts: [RECORD, (ctx, request) => updateCatalog(deps, ctx, request)],

      GetProduct: [
        READ,
        async (_ctx, { product_id: productId }) => {
          const product = await catalogProduct(deps.db, productId)
          if (product === undefined) throw notFound(`the catalog never had product ${productId}`)
          return product
        },
      ],

      Preferences: [
        READ,
        async (ctx, { shopper_id: shopperId }) => preferencesOf(deps.db, shopperId, await ctx.date.now(), deps.preferences),
      ],
    },
  )

/** Checks the products, and keeps the newest version of each. */
async function updateCatalog(deps: Deps, ctx: Context, request: UpsertProductsRequest): Promise<UpsertProductsResponse> {
  const call = checkedCall(ctx)
  const nowMs = await ctx.date.now()
  const { rows: versions, rejections } = await judgeInSlices(request.products, (slice) => judgeProducts(slice, nowMs))
  const updated = await ctx.run('update the catalogue', (): Promise<Updated> => update(deps, call, versions))
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

async function update({ db }: Deps, call: Call, versions: readonly ProductVersion[]): Promise<Unchanged> {
  const changed = new Set(versions.length > 0 ? await upsertProducts(db, call, versions) : [])
  const unchanged = versions.filter(({ index }) => !changed.has(index))
  const stale = unchanged.length > 0 ? await staleVersions(db, unchanged) : []
  const isStale = new Set(stale)
  return { duplicateIndexes: unchanged.flatMap(({ index }) => (isStale.has(index) ? [] : [index])), stale }
}
