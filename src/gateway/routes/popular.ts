import type { FastifyRequest, RouteShorthandOptions } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { LRUCache } from 'lru-cache'
import { INTERACTIONS_MAX, PopularRequest, PopularResponse, WINDOW_DAYS_MAX } from '../../contract/popular-list.ts'
import { wholeNumberOfText } from '../../contract/fields/whole-number.ts'
import type { Database } from '../../store/database/connection.ts'
import { popularPage } from '../../store/popularity/popular-page.ts'
import { createReadGate } from '../caching/read-gate.ts'
import { shareNext } from '../caching/share-next.ts'
import { sendJson } from '../http/send-json.ts'
import type { RouteDeps, RoutePlugin } from './deps.ts'

/** All answers together; a page of 100 products is some 35 KB. */
const CACHE_BYTES_MAX = 16 * 1024 * 1024
/** Lists that wait until another one is read. */
const WAITING_MAX = 500

const { shape } = PopularRequest
const PopularQuery = PopularRequest.extend({
  time_window_days: wholeNumberOfText(1, WINDOW_DAYS_MAX).optional().describe(shape.time_window_days.description!),
  limit: wholeNumberOfText(1, 100).default(20).describe(shape.limit.description!),
  min_interactions: wholeNumberOfText(1, INTERACTIONS_MAX).default(1).describe(shape.min_interactions.description!),
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
      'Best first by the mode; ties by id. Products that are hidden or deleted in the catalog are left out. All pages of a window begin with the same hour, but the list is live: a product whose rank moves between two pages may repeat or be missed. An answer may be as old as `POPULAR_CACHE_MS` says, a second unless set; in the mode rising without window and as_of, as old as the last refresh, at most half an hour.',
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
export function popularRoutes({ db, settings }: RouteDeps): RoutePlugin {
  const { popularCacheMs: cacheMs } = settings
  const read = popularReader(db, settings.addedUpAtOnce)
  const answerTo = cacheMs === 0 ? shareNext(read, questionKey) : cached(read, cacheMs)
  const maxAge = `private, max-age=${Math.floor(cacheMs / 1_000)}`
  return async (app) => {
    app.withTypeProvider<ZodTypeProvider>().get('/api/v1/products/popular', POPULAR, async ({ query }, reply) => {
      const { json, readMs } = await answerTo(query)
      const age = Math.floor((Date.now() - readMs) / 1_000)
      return sendJson(reply.headers({ 'cache-control': maxAge, age }), json)
    })
  }
}

interface Answer {
  json: Buffer
  readMs: number
}

type Read = (request: PopularRequest) => Promise<Answer>

/** Lists that add up hours wait in turn, because each keeps a processor busy, and leave connections to the other lists. */
function popularReader(db: Database, addedUpAtOnce: number): Read {
  const gate = createReadGate({
    readsMax: addedUpAtOnce,
    waitingMax: WAITING_MAX,
    message: 'too many lists of this kind wait here already; ask again',
  })
  return async (request) => {
    const readMs = Date.now()
    const readPage = () => popularPage(db, request, readMs)
    const isAddedUp = request.time_window_days !== undefined || request.as_of !== undefined
    const { rows, meta } = await (isAddedUp ? gate(readPage) : readPage())
    return { json: Buffer.from(`{"data":[${rows.join(',')}],"meta":${JSON.stringify(meta)}}`), readMs }
  }
}

/** Keeps answers for `cacheMs`. A request for a list that is being read shares that read. */
function cached(read: Read, cacheMs: number): Read {
  const cache = new LRUCache<string, Answer, PopularRequest>({
    maxSize: CACHE_BYTES_MAX,
    sizeCalculation: ({ json }, key) => json.length + key.length,
    ttl: cacheMs,
    ttlResolution: 0,
    ignoreFetchAbort: true,
    fetchMethod: async (_key, _stale, { context, options }) => {
      const answer = await read(context)
      // Its age counts from before it was read.
      options.ttl = Math.max(1, cacheMs - (Date.now() - answer.readMs))
      return answer
    },
  })
  return async (request) => cache.forceFetch(questionKey(request), { context: request })
}

function questionKey(request: PopularRequest): string {
  return JSON.stringify({ ...request, category_ids: request.category_ids?.toSorted() })
}
