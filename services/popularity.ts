import { invalidField, notFound } from '../src/contract/decided-error.ts'
import type { PopularProduct } from '../src/contract/popular-list.ts'
import { popularityApi } from '../src/contract/services.ts'
import { countBatch, isCounted } from '../src/store/popularity/counting.ts'
import { explainPopularity } from '../src/store/popularity/explanation.ts'
import { popularPage } from '../src/store/popularity/popular-page.ts'
import { popularityOf, topByScore, topPositionOf } from '../src/store/popularity/top-list.ts'
import type { Deps } from './handler/deps.ts'
import { BACKGROUND, READ } from './handler/handler-options.ts'
import { serviceOf } from './handler/with-options.ts'
import { takeBatch } from './recording/take-batch.ts'

/** Popularity: counts and scores of products. Each event is counted once, and the result always equals a replay of the log. */
export const popularity = (deps: Deps) =>
  serviceOf(
    popularityApi,
    deps,
    { retryPolicy: deps.retryPolicy },
    {
      HandlePopularityEvent: [
        BACKGROUND,
        (ctx, batch) =>
          takeBatch(deps, ctx, batch, {
            step: 'count the batch',
            target: 'popularity',
            take: countBatch,
            isTaken: isCounted,
            sendAgain: (again, message, options) => again.sendClient(popularityApi).HandlePopularityEvent(message, options),
          }),
      ],

      Top: [
        READ,
        async (_ctx, { limit, cursor, expand, in_stock: inStock }) => {
          const after = cursor === undefined ? undefined : topPositionOf(cursor)
          if (cursor !== undefined && after === undefined) throw invalidField('cursor', 'is not a cursor of this list')
          return topByScore(deps.db, { limit, after, expand, inStock })
        },
      ],

      Popular: [
        READ,
        async (ctx, request) => {
          const page = await popularPage(deps.db, request, await ctx.date.now())
          return { data: page.rows.map((json) => JSON.parse(json) as PopularProduct), meta: page.meta }
        },
      ],

      Get: [
        READ,
        async (_ctx, { product_id: productId }) => {
          const found = await popularityOf(deps.db, productId)
          if (found === undefined) throw notFound(`no event of product ${productId} was ever counted`)
          return found
        },
      ],

      Explain: [
        READ,
        async (_ctx, { product_id: productId }) => {
          const found = await explainPopularity(deps.db, productId)
          if (found === undefined) throw notFound(`no event of product ${productId} was ever counted`)
          return found
        },
      ],
    },
  )
