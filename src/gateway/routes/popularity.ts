import { DecidedError } from '../../contract/decided-error.ts'
import type { FastifyInstance } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { ErrorBody } from '../../contract/error.ts'
import { wholeNumberOfText } from '../../contract/whole-number.ts'
import { GetPopularityRequest, GetPopularityResponse, TopRequest, TopResponse } from '../../contract/popularity.ts'
import { VerifyResponse } from '../../contract/verify.ts'
import {
  compareTopPositions,
  popularityOf,
  topCursorOf,
  type TopPosition,
  topPositionOf,
  topRows,
} from '../../store/popularity/top-list.ts'
import { verify } from '../../store/proof/verification.ts'
import { createListCache, type ListPage } from '../caching/list-cache.ts'
import { invalidCursor } from '../http/problem.ts'
import { sendJson } from '../http/send-json.ts'
import { shareRunning } from '../caching/share-running.ts'
import type { Database } from '../../store/database/connection.ts'

const TopQuery = TopRequest.extend({
  limit: wholeNumberOfText(1, 100).default(10).describe(TopRequest.shape.limit.description!),
})
const Verified = z.object({ data: VerifyResponse }).meta({
  description: 'What the replay found.',
  examples: [{ data: { drift: [], events: 2, analytics_events: 0, horizon: '2000-01-01T00:00:00.000Z' } }],
})

/** Reads go straight to the store: a backlog of writes in Restate does not delay them. */
export function popularityRoutes(deps: { db: Database; topCacheMs: number }) {
  const readTop = createListCache(topList(deps.db), deps.topCacheMs)
  return async (app: FastifyInstance) => {
    const routes = app.withTypeProvider<ZodTypeProvider>()

    routes.get(
      '/api/v1/analytic/popularity/top',
      {
        config: { access: 'read' },
        schema: {
          operationId: 'topProducts',
          summary: 'Products by score',
          description:
            'Best first; ties by id. The list is live: a product whose rank moves between two pages may repeat or be missed. An answer may be as old as `TOP_CACHE_MS` says, a second unless set.',
          tags: ['popularity'],
          querystring: TopQuery,
          response: { 200: TopResponse.describe('A page of products.') },
        },
      },
      async ({ query: { limit, cursor } }, reply) => {
        const after = cursor === undefined ? undefined : topPositionOf(cursor)
        if (cursor !== undefined && after === undefined) throw invalidCursor()
        return sendJson(reply, topAnswerOf(await readTop(after, limit)))
      },
    )

    routes.get(
      '/api/v1/analytic/popularity/:product_id',
      {
        config: { access: 'read' },
        schema: {
          operationId: 'popularityOfProduct',
          summary: 'Popularity of a product',
          description: 'Its score, its trending score as of this answer, and its counters.',
          tags: ['popularity'],
          params: GetPopularityRequest,
          querystring: z.strictObject({}),
          response: {
            200: GetPopularityResponse.describe('The product.'),
            404: ErrorBody.describe('No event of the product was ever counted.'),
          },
        },
      },
      async ({ params: { product_id: productId } }) => {
        const data = await popularityOf(deps.db, productId)
        if (data === undefined) throw new DecidedError('not_found', `no event of product ${productId} was ever counted`)
        return { data }
      },
    )

    const verifyOnce = shareRunning(() => verify(deps.db))
    routes.get(
      '/api/v1/analytic/verify',
      {
        config: { access: 'manage' },
        schema: {
          operationId: 'verify',
          summary: 'Replay the log against every aggregate',
          description: 'Reads the whole log; `drift` is empty when every number is right.',
          tags: ['popularity'],
          querystring: z.strictObject({}),
          response: {
            200: Verified,
            503: ErrorBody.describe('The database does not answer, or a repair of the trending scores is under way; try again.'),
          },
        },
      },
      async () => ({ data: await verifyOnce() }),
    )
  }
}

function topList(db: Database) {
  return {
    rowsAfter: (after: TopPosition | undefined, limit: number) => topRows(db, { limit, after }),
    compare: compareTopPositions,
  }
}

/** A TopResponse, put together of rows that are JSON already. */
function topAnswerOf({ json, next }: ListPage<TopPosition>): Buffer {
  const cursor = next === undefined ? null : topCursorOf(next)
  return Buffer.concat([HEAD, json, Buffer.from(`],"meta":{"next_cursor":${JSON.stringify(cursor)}}}`)])
}

const HEAD = Buffer.from('{"data":[')
