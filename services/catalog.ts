import { type Context, implement, TerminalError } from '@restatedev/restate-sdk'
import type { UpsertProductsRequest, UpsertProductsResponse } from '../src/contract/product.ts'
import { catalogApi } from '../src/contract/services.ts'
import { catalogProduct, upsertProducts } from '../src/store/catalog/catalog-product.ts'
import { feedBatch } from '../src/store/shoppers/shopper-profile.ts'
import { checkedCall } from './recording/checked-call.ts'
import type { Deps } from './handler/deps.ts'
import { BACKGROUND, READ, RECORD } from './handler/handler-options.ts'
import { judgeProducts } from '../src/admission/product.ts'

/** Catalog: what is sold, and who did what with which product. */
export const catalog = (deps: Deps) =>
  implement(catalogApi, {
    handlers: {
      AddInteraction: async (ctx, { batch_id: batchId, from, to }) => {
        await ctx.run('feed the profiles', async () => {
          const group = await feedBatch(deps.background, { batchId, from, to })
          if (group.batches > 0) deps.observer.groupCounted('profiles', group)
          deps.reached('profiles committed')
        })
      },

      UpsertProducts: (ctx, request) => updateCatalogue(deps, ctx, request),

      GetProduct: async (_ctx, { product_id: productId }) => {
        const product = await catalogProduct(deps.db, productId)
        if (product === undefined) throw new TerminalError(`the catalogue never had product ${productId}`, { errorCode: 404 })
        return product
      },
    },
    options: {
      retryPolicy: deps.retryPolicy,
      handlers: { AddInteraction: BACKGROUND, UpsertProducts: RECORD, GetProduct: READ },
    },
  })

/** Judges, and keeps the newest version of each product. */
async function updateCatalogue(deps: Deps, ctx: Context, request: UpsertProductsRequest): Promise<UpsertProductsResponse> {
  const call = checkedCall(ctx)
  const { versions, rejections } = judgeProducts(request.products, await ctx.date.now())
  const duplicateIndexes = await ctx.run('update the catalogue', async () => {
    const changed = new Set(versions.length > 0 ? await upsertProducts(deps.db, call, versions) : [])
    deps.reached('catalogue committed')
    return versions.filter(({ index }) => !changed.has(index)).map(({ index }) => index)
  })
  return {
    accepted: versions.length - duplicateIndexes.length,
    duplicates: duplicateIndexes.length,
    duplicate_indexes: duplicateIndexes,
    rejected: rejections,
  }
}
