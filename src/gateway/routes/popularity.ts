import type { RouteShorthandOptions } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { notFound } from '../../contract/decided-error.ts'
import { ErrorBody } from '../../contract/error.ts'
import { GetPopularityRequest, GetPopularityResponse, TopRequest, TopResponse } from '../../contract/popularity.ts'
import { wholeNumberOfText } from '../../contract/fields/whole-number.ts'
import type { Queryable } from '../../store/database/connection.ts'
import {
  compareTopPositions,
  popularityOrZeros,
  topCursorOf,
  type TopPosition,
  topPositionOf,
  topRows,
} from '../../store/popularity/top-list.ts'
import type { ListedProducts } from '../../store/catalog/listed-product.ts'
import { taskCallerOf } from '../access/caller.ts'
import { createListCache, pageOf, type RankedList } from '../caching/list-cache.ts'
import type { TaskCaller } from '../http/caller-shares.ts'
import type { ReadLines } from '../caching/read-lines.ts'
import { linkToCursor } from '../http/next-link.ts'
import { invalidCursor } from '../http/problem.ts'
import { sendJson } from '../http/send-json.ts'
import { READ_PLACES } from '../standbys/read-places.ts'
import type { RouteDeps, RoutePlugin } from './deps.ts'

export const POPULARITY_TAG = { name: 'popularity', description: 'What is popular.' }

const { shape } = TopRequest
const TopQuery = TopRequest.extend({
  limit: wholeNumberOfText(1, 100).default(10).describe(shape.limit.description!),
  in_stock: z.enum(['true', 'false']).default('false').describe(shape.in_stock.description!),
})

const TOP = {
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
} as const satisfies RouteShorthandOptions

const OF_PRODUCT = {
  config: { access: 'read' },
  schema: {
    operationId: 'popularityOfProduct',
    summary: 'Popularity of a product',
    description:
      'Its score, its trending score as of this answer, and its counters. A product of the catalog without events has zeros, and null for its times.',
    tags: ['popularity'],
    params: GetPopularityRequest,
    querystring: z.strictObject({}),
    response: {
      200: GetPopularityResponse.describe('The product.'),
      404: ErrorBody.describe('No event of the product was ever counted, and the catalog never had it.'),
    },
  },
} as const satisfies RouteShorthandOptions

/** Reads go straight to the store, so that a backlog of writes in Restate does not delay them. */
export function popularityRoutes({ lines, settings }: RouteDeps): RoutePlugin {
  const readTop = topReaders(lines, settings.topCacheMs)
  return async (app) => {
    const routes = app.withTypeProvider<ZodTypeProvider>()

    routes.get('/api/v1/analytic/popularity/top', TOP, async (request, reply) => {
      const { limit, cursor, expand, in_stock: inStock } = request.query
      const after = cursor === undefined ? undefined : topPositionOf(cursor)
      if (cursor !== undefined && after === undefined) throw invalidCursor()
      const { json, next } = await readTop[inStock][expand ?? 'none'](after, limit, taskCallerOf(request))
      const nextCursor = next === undefined ? null : topCursorOf(next)
      return sendJson(reply.headers(linkToCursor(request, nextCursor)), topAnswerOf(json, nextCursor))
    })

    routes.get('/api/v1/analytic/popularity/:product_id', OF_PRODUCT, async (request) => {
      const { product_id: productId } = request.params
      const data = await lines.short.read(taskCallerOf(request), (reading) => popularityOrZeros(reading, productId))
      if (data === undefined) throw notFound(`no event of product ${productId} was ever counted, and the catalog never had it`)
      return { data }
    })
  }
}

/** A cache for each form of the list, because each has other rows. One that is never asked for keeps nothing. */
function topReaders(lines: ReadLines, cacheMs: number) {
  const of = (listed: ListedProducts) => createListCache(topList(lines, listed), cacheMs)
  const withStock = (inStock: boolean) => ({ none: of({ inStock }), product: of({ inStock, expand: 'product' }) })
  return { true: withStock(true), false: withStock(false) }
}

interface TopQuestion {
  after: TopPosition | undefined
  limit: number
}

/** Callers that ask for the same page at the same time share its read, and its JSON. */
function topList({ short, long }: ReadLines, listed: ListedProducts): RankedList<TopPosition> {
  const shared = {
    read: async (db: Queryable, { after, limit }: TopQuestion) =>
      pageOf(await topRows(db, { limit: limit + 1, after, ...listed }), limit),
    keyOf: ({ after, limit }: TopQuestion) => `${limit} ${after === undefined ? '' : topCursorOf(after)}`,
    // No answer is older than its question.
    joinMs: 0,
  }
  const ask = { short: short.shared(shared), long: long.shared(shared) }
  // Out of stock may be many products, and a page deep in the list may pass over many of the same score.
  const head = listed.inStock ? 'long' : 'short'
  return {
    rowsAfter: (after, limit) => (head === 'long' ? long : short).read(GATEWAY, (db) => topRows(db, { limit, after, ...listed })),
    pageAfter: (after, limit, reader) => ask[after === undefined ? head : 'long']({ after, limit }, reader),
    compare: compareTopPositions,
  }
}

/** Asks for what all callers share. */
const GATEWAY: TaskCaller = { id: 'gateway', hasShare: false, readsFrom: READ_PLACES['topProducts'] }

/** A TopResponse, joined from rows that are JSON already. */
function topAnswerOf(json: Buffer, cursor: string | null): Buffer {
  return Buffer.concat([HEAD, json, Buffer.from(`],"meta":{"next_cursor":${JSON.stringify(cursor)}}}`)])
}

const HEAD = Buffer.from('{"data":[')
