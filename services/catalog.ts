import { DecidedError, notFound } from '../src/contract/decided-error.ts'
import { catalogApi } from '../src/contract/services.ts'
import { catalogProduct } from '../src/store/catalog/catalog-product.ts'
import { preferencesOf } from '../src/store/preferences/preferences.ts'
import { promoteVersion } from '../src/store/similarity/version.ts'
import { feedBatch, isFed } from '../src/store/shoppers/shopper-profile.ts'
import type { Deps } from './handler/deps.ts'
import { BACKGROUND, READ, RECORD } from './handler/handler-options.ts'
import { serviceOf } from './handler/with-options.ts'
import { leavingPlaces } from './recording/leave-place.ts'
import { recordingFunctions } from './recording/recording-functions.ts'
import { directStep, refusingStep } from './recording/step.ts'
import { takeBatch } from './recording/take-batch.ts'

/** Catalog: the products of the shop, and the profiles of shoppers. */
export const catalog = (deps: Deps) => {
  const record = leavingPlaces(recordingFunctions({ ...deps, step: directStep(deps) }))
  const refuse = refusingStep(deps)
  return serviceOf(
    catalogApi,
    deps,
    { retryPolicy: deps.retryPolicy },
    {
      AddInteraction: [
        BACKGROUND,
        (ctx, batch) =>
          takeBatch(deps, ctx, batch, {
            step: 'feed the profiles',
            target: 'profiles',
            take: feedBatch,
            isTaken: isFed,
            sendAgain: (again, message, options) => again.sendClient(catalogApi).AddInteraction(message, options),
          }),
      ],

      UpsertProducts: [RECORD, record.UpsertProducts],

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

      PromoteSimilarity: [
        RECORD,
        (ctx, request) => refuse(ctx, 'promote the version', () => promoteVersion(deps.background, request)),
      ],

      Similar: [READ, async () => notServed()],
      Recommend: [READ, async () => notServed()],
      Rerank: [READ, async () => notServed()],
    },
  )
}

function notServed(): never {
  throw new DecidedError('unavailable', 'there are no similarities yet')
}
