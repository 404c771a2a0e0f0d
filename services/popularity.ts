import { implement, TerminalError } from '@restatedev/restate-sdk'
import type { PopularProduct } from '../src/contract/popular-list.ts'
import { popularityApi } from '../src/contract/services.ts'
import { popularPage } from '../src/store/popularity/popular-page.ts'
import { WrongField } from '../src/store/database/errors.ts'
import { popularityOf, topByScore, topPositionOf } from '../src/store/popularity/top-list.ts'
import { countBatch } from '../src/store/popularity/counting.ts'
import type { Deps } from './handler/deps.ts'
import { BACKGROUND, READ } from './handler/handler-options.ts'

/** Popularity: what is liked, counted once and always equal to replaying the log. */
export const popularity = (deps: Deps) =>
  implement(popularityApi, {
    handlers: {
      HandlePopularityEvent: async (ctx, { batch_id: batchId, from, to }) => {
        await ctx.run('count the batch', async () => {
          const group = await countBatch(deps.background, { batchId, from, to })
          if (group.batches > 0) deps.observer.groupCounted('popularity', group)
          deps.reached('scores committed')
        })
      },

      Top: async (_ctx, { limit, cursor }) => {
        const after = cursor === undefined ? undefined : topPositionOf(cursor)
        if (cursor !== undefined && after === undefined)
          throw new TerminalError('cursor: is not a cursor of this list', { errorCode: 400 })
        return topByScore(deps.db, { limit, after })
      },

      Popular: async (ctx, request) => {
        const page = await popularPage(deps.db, request, await ctx.date.now()).catch((error: unknown) => {
          throw error instanceof WrongField ? new TerminalError(`${error.field}: ${error.message}`, { errorCode: 400 }) : error
        })
        return { data: page.rows.map((json) => JSON.parse(json) as PopularProduct), meta: page.meta }
      },

      Get: async (_ctx, { product_id: productId }) => {
        const found = await popularityOf(deps.db, productId)
        if (found === undefined) throw new TerminalError(`no event of product ${productId} was ever counted`, { errorCode: 404 })
        return found
      },
    },
    options: {
      retryPolicy: deps.retryPolicy,
      handlers: { HandlePopularityEvent: BACKGROUND, Top: READ, Popular: READ, Get: READ },
    },
  })
