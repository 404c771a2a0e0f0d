import { implement } from '@restatedev/restate-sdk'
import { catalogApi } from '../src/contract/services.ts'
import { feedBatch } from '../src/store/shopper-product.ts'
import type { Deps } from './deps.ts'
import { BACKGROUND } from './handler-options.ts'

/** Catalog: who did what with which product. */
export const catalog = (deps: Deps) =>
  implement(catalogApi, {
    handlers: {
      AddInteraction: async (ctx, { batch_id: batchId, from, to }) => {
        await ctx.run('feed the profiles', async () => {
          const group = await feedBatch(deps.background, { batchId, from, to })
          if (group.batches > 0) deps.observer.grouped('profiles', group)
          deps.reached('profiles committed')
        })
      },
    },
    options: { retryPolicy: deps.retryPolicy, handlers: { AddInteraction: BACKGROUND } },
  })
