import type { Context } from '@restatedev/restate-sdk'
import { judgeInSlices } from '../src/admission/judge-in-slices.ts'
import { judgeProducts } from '../src/admission/product.ts'
import { notFound } from '../src/contract/decided-error.ts'
import type { UpsertProductsRequest, UpsertProductsResponse } from '../src/contract/product.ts'
import { catalogApi } from '../src/contract/services.ts'
import { catalogProduct, upsertProducts } from '../src/store/catalog/catalog-product.ts'
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
    },
  )

/** Checks the products, and keeps the newest version of each. */
async function updateCatalog(deps: Deps, ctx: Context, request: UpsertProductsRequest): Promise<UpsertProductsResponse> {
  const call = checkedCall(ctx)
  const nowMs = await ctx.date.now()
  const { rows: versions, rejections } = await judgeInSlices(request.products, (slice) => judgeProducts(slice, nowMs))
  const duplicateIndexes = await ctx.run('update the catalogue', async () => {
    const changed = new Set(versions.length > 0 ? await upsertProducts(deps.db, call, versions) : [])
    return versions.filter(({ index }) => !changed.has(index)).map(({ index }) => index)
  })
  return recordedAnswer({ accepted: versions.length - duplicateIndexes.length, duplicateIndexes, rejected: rejections })
}
