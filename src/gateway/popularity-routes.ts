import type { FastifyInstance, FastifyReply } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { ErrorBody } from '../contract/error.ts'
import { GetPopularityRequest, Popularity, TopRequest, TopResponse } from '../contract/popularity.ts'
import { VerifyResponse } from '../contract/verify.ts'
import {
  compareTopPositions,
  popularityOf,
  topCursorOf,
  type TopPosition,
  topPositionOf,
  topRows,
} from '../store/product-popularity.ts'
import { verify } from '../store/verification.ts'
import { createListCache, type ListPage } from './list-cache.ts'
import { invalidCursor, Problem } from './problem.ts'
import type { Store } from '../store/database.ts'

const TopQuery = TopRequest.extend({ limit: z.coerce.number().int().min(1).max(100).default(10) })
const unavailable = ErrorBody.describe('The database does not answer.')

/** Reads go straight to the store: a backlog of writes in Restate does not delay them. */
export function popularityRoutes(deps: { db: Store; topCacheMs: number }) {
  const readTop = createListCache(topList(deps.db), deps.topCacheMs)
  return async (app: FastifyInstance) => {
    const routes = app.withTypeProvider<ZodTypeProvider>()

    routes.get(
      '/api/v1/analytic/popularity/top',
      {
        config: { access: 'read' },
        schema: {
          summary: 'Products by score',
          description:
            'Best first; ties by id. The list is live: a product whose rank moves between two pages may repeat or be missed.',
          tags: ['popularity'],
          querystring: TopQuery,
          response: { 200: TopResponse, 400: ErrorBody, 503: unavailable },
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
          summary: 'Popularity of a product',
          tags: ['popularity'],
          params: GetPopularityRequest,
          querystring: z.strictObject({}),
          response: {
            200: z.object({ data: Popularity }),
            400: ErrorBody,
            404: ErrorBody.describe('Never seen.'),
            503: unavailable,
          },
        },
      },
      async ({ params: { product_id: productId } }) => {
        const data = await popularityOf(deps.db, productId)
        if (data === undefined) throw new Problem('not_found', `no event of product ${productId} was ever counted`)
        return { data }
      },
    )

    const verifyOnce = shareRunning(() => verify(deps.db))
    routes.get(
      '/api/v1/analytic/verify',
      {
        config: { access: 'manage' },
        schema: {
          summary: 'Replay the log against every aggregate',
          description: 'Reads the whole log; drift is empty when every number is right.',
          tags: ['popularity'],
          querystring: z.strictObject({}),
          response: { 200: z.object({ data: VerifyResponse }), 503: unavailable },
        },
      },
      async () => ({ data: await verifyOnce() }),
    )
  }
}

function topList(db: Store) {
  return {
    rowsAfter: async (after: TopPosition | undefined, limit: number) => {
      const rows = await topRows(db, { limit, after })
      return rows.map(({ position, popularity }) => ({ position, json: JSON.stringify(popularity) }))
    },
    compare: compareTopPositions,
  }
}

/** A TopResponse, put together of rows that are JSON already. */
function topAnswerOf({ rows, next }: ListPage<TopPosition>): string {
  const cursor = next === undefined ? null : topCursorOf(next)
  return `{"data":[${rows.map((row) => row.json).join(',')}],"meta":{"next_cursor":${JSON.stringify(cursor)}}}`
}

/** Sends what is JSON already. */
function sendJson(reply: FastifyReply, json: string): FastifyReply {
  return reply
    .type('application/json; charset=utf-8')
    .serializer((text: string) => text)
    .send(json)
}

/** Whoever asks while an answer is being made gets that one. */
function shareRunning<T>(make: () => Promise<T>): () => Promise<T> {
  let running: Promise<T> | undefined
  return () => {
    running ??= make().finally(() => {
      running = undefined
    })
    return running
  }
}
