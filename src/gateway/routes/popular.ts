import type { FastifyRequest, RouteShorthandOptions } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { LRUCache } from 'lru-cache'
import { z } from 'zod'
import { INTERACTIONS_MAX, PopularRequest, PopularResponse, WINDOW_DAYS_MAX } from '../../contract/popular-list.ts'
import { wholeNumberOfText } from '../../contract/fields/whole-number.ts'
import type { Queryable } from '../../store/database/connection.ts'
import { type CutPage, popularPages, readSizeOf } from '../../store/popularity/popular-page.ts'
import { keptMs } from '../caching/shared-answers.ts'
import { taskCallerOf } from '../access/caller.ts'
import type { TaskCaller } from '../http/caller-shares.ts'
import type { ReadLines } from '../caching/read-lines.ts'
import { linkToCursor } from '../http/next-link.ts'
import { sendJson } from '../http/send-json.ts'
import type { RouteDeps, RoutePlugin } from './deps.ts'

/** All answers together; a page of 100 products is some 35 KB. */
const CACHE_BYTES_MAX = 16 * 1024 * 1024
/** An answer that adds up hours is kept for so many times as long as its read took, so that a list takes a fiftieth of a processor. */
const ADDED_UP_KEPT_READS = 50
/** What an answer takes besides the text of its rows. */
const ROWS_BYTES = 4 * 1024

const { shape } = PopularRequest
const PopularQuery = PopularRequest.extend({
  time_window_days: wholeNumberOfText(1, WINDOW_DAYS_MAX).optional().describe(shape.time_window_days.description!),
  limit: wholeNumberOfText(1, 100).default(20).describe(shape.limit.description!),
  min_interactions: wholeNumberOfText(1, INTERACTIONS_MAX).default(1).describe(shape.min_interactions.description!),
  in_stock: z.enum(['true', 'false']).default('false').describe(shape.in_stock.description!),
})

const Popular = PopularResponse.meta({
  ...PopularResponse.meta(),
  description: 'A page of products.',
  headers: {
    'cache-control': { type: 'string', description: 'private, and how old an answer may be, in seconds.' },
    age: { type: 'integer', minimum: 0, description: 'How old it is, in seconds.' },
  },
})

const POPULAR = {
  config: { access: 'read' },
  schema: {
    operationId: 'popularProducts',
    summary: 'What is popular',
    description:
      'Best first by the mode; ties by id. Products that are hidden or deleted in the catalog are left out. All pages of a window begin with the same hour, but the list is live: a product whose rank moves between two pages may repeat or be missed. An answer may be as old as `POPULAR_CACHE_MS` says, a second unless set; with a window or as_of, up to 10 s where adding up takes long; in the mode rising without window and as_of, as old as the last refresh, at most half an hour.',
    tags: ['popularity'],
    querystring: PopularQuery,
    response: { 200: Popular },
  },
  preValidation: async ({ query }: FastifyRequest) => {
    const parameters = query as Record<string, unknown>
    if (typeof parameters['category_ids'] === 'string') parameters['category_ids'] = [parameters['category_ids']]
  },
} as const satisfies RouteShorthandOptions

/** Reads go straight to the store. */
export function popularRoutes({ lines, settings }: RouteDeps): RoutePlugin {
  const { popularCacheMs: cacheMs } = settings
  const answerTo = popularReader(lines, cacheMs)
  return async (app) => {
    app.withTypeProvider<ZodTypeProvider>().get('/api/v1/products/popular', POPULAR, async (request, reply) => {
      const { in_stock, ...query } = request.query
      const { pages, readMs, keptMs } = await answerTo({ ...query, in_stock: in_stock === 'true' }, taskCallerOf(request))
      const { rows, meta } = pages(query.limit)
      const json = Buffer.from(`{"data":[${rows.join(',')}],"meta":${JSON.stringify(meta)}}`)
      const age = secondsOf(Date.now() - readMs)
      const cacheControl = `private, max-age=${secondsOf(keptMs)}`
      return sendJson(reply.headers({ 'cache-control': cacheControl, age, ...linkToCursor(request, meta.next_cursor) }), json)
    })
  }
}

/** The answer to requests that differ in their limits only: those with the same `readSizeOf`. */
interface Answer {
  pages: CutPage
  bytes: number
  readMs: number
  /** How old it may be. */
  keptMs: number
}

/** Keeps answers for `cacheMs`. A request for a list that is being read shares that read; without a cache, the next one. */
function popularReader(lines: ReadLines, cacheMs: number) {
  const cache = new LRUCache<string, Answer>({
    maxSize: CACHE_BYTES_MAX,
    sizeCalculation: ({ bytes }, key) => bytes + key.length,
    ttl: Math.max(1, cacheMs),
    ttlResolution: 0,
  })
  const read = async (db: Queryable, request: PopularRequest): Promise<Answer> => {
    const readMs = Date.now()
    const pages = await popularPages(db, request, readMs)
    const { rows } = pages(readSizeOf(request.limit))
    const tookMs = Date.now() - readMs
    const isAddedUp = lineOf(request) === 'addedUp'
    const bytes = rows.reduce((sum, row) => sum + row.length, ROWS_BYTES)
    const answer = { pages, bytes, readMs, keptMs: isAddedUp ? keptMs(tookMs, cacheMs, ADDED_UP_KEPT_READS) : cacheMs }
    // Its age counts from before it was read.
    const ttl = answer.keptMs - tookMs
    if (ttl > 0) cache.set(questionKey(request), answer, { ttl })
    return answer
  }
  const shared = { read, keyOf: questionKey, joinMs: cacheMs }
  const ask = { short: lines.short.shared(shared), addedUp: lines.addedUp.shared(shared), long: lines.long.shared(shared) }
  return async (request: PopularRequest, reader: TaskCaller): Promise<Answer> => {
    // It may have been read before the caller wrote what it wants to see.
    const kept = reader.minLsn === undefined ? cache.get(questionKey(request)) : undefined
    return kept ?? ask[lineOf(request)](request, reader)
  }
}

/** A list that adds up hours keeps a processor busy. Any other one may pass over many products that it does not show. */
function lineOf({
  time_window_days,
  as_of,
  category_ids,
  min_interactions,
  cursor,
  in_stock,
}: PopularRequest): Exclude<keyof ReadLines, 'history'> {
  if (time_window_days !== undefined || as_of !== undefined) return 'addedUp'
  return category_ids === undefined && min_interactions === 1 && cursor === undefined && !in_stock ? 'short' : 'long'
}

function questionKey(request: PopularRequest): string {
  return JSON.stringify({ ...request, limit: readSizeOf(request.limit), category_ids: request.category_ids?.toSorted() })
}

function secondsOf(ms: number): number {
  return Math.floor(ms / 1_000)
}
