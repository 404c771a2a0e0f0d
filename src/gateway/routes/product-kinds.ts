import type { RouteShorthandOptions } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { LRUCache } from 'lru-cache'
import { BrandsResponse, CategoriesResponse, KIND_DAYS_MAX, KindsRequest } from '../../contract/product-kind.ts'
import { wholeNumberOfText } from '../../contract/fields/whole-number.ts'
import { type KindCounts, kindCounts, kindPage, type ProductKind } from '../../store/popularity/product-kinds.ts'
import { taskCallerOf } from '../access/caller.ts'
import type { TaskCaller } from '../http/caller-shares.ts'
import type { ReadLines } from '../caching/read-lines.ts'
import type { RouteDeps, RoutePlugin } from './deps.ts'

const { shape } = KindsRequest
const Query = KindsRequest.extend({
  days: wholeNumberOfText(1, KIND_DAYS_MAX).default(7).describe(shape.days.description!),
  limit: wholeNumberOfText(1, 100).default(20).describe(shape.limit.description!),
})

const ABOUT =
  'the most events first; ties by name. An answer may be a minute old. At most 10,000 are listed, those with the most events. Events are counted for what the catalog says of their products now.'

const CATEGORIES = {
  config: { access: 'read' },
  schema: {
    operationId: 'categories',
    summary: 'Categories with their products and events',
    description: `Categories of products that are not deleted, ${ABOUT}`,
    tags: ['catalog'],
    querystring: Query,
    response: { 200: CategoriesResponse.describe('A page of categories.') },
  },
} as const satisfies RouteShorthandOptions

const BRANDS = {
  config: { access: 'read' },
  schema: {
    operationId: 'brands',
    summary: 'Brands with their products and events',
    description: `Brands of products that are not deleted, ${ABOUT}`,
    tags: ['catalog'],
    querystring: Query,
    response: { 200: BrandsResponse.describe('A page of brands.') },
  },
} as const satisfies RouteShorthandOptions

/** They add up hours of all products, so the counts are kept for a minute, for all callers and pages. */
const KEPT_MS = 60_000
/** Lists that are kept; one has at most 10,000 rows, which take some 2 MB. */
const LISTS_MAX = 8

export function productKindRoutes({ lines }: RouteDeps): RoutePlugin {
  const countsOf = kindReader(lines)
  return async (app) => {
    const routes = app.withTypeProvider<ZodTypeProvider>()

    routes.get('/api/v1/catalog/categories', CATEGORIES, async (request) => {
      const counts = await countsOf({ kind: 'category', days: request.query.days }, taskCallerOf(request))
      const { rows, meta } = kindPage(counts, 'category', request.query)
      return { data: rows.map(({ name, ...row }) => ({ category: name, ...row })), meta }
    })

    routes.get('/api/v1/catalog/brands', BRANDS, async (request) => {
      const counts = await countsOf({ kind: 'brand', days: request.query.days }, taskCallerOf(request))
      const { rows, meta } = kindPage(counts, 'brand', request.query)
      return { data: rows.map(({ name, ...row }) => ({ brand: name, ...row })), meta }
    })
  }
}

interface Question {
  kind: ProductKind
  days: number
}

/** A request for counts that are being read shares that read. */
function kindReader(lines: ReadLines) {
  const kept = new LRUCache<string, KindCounts>({ max: LISTS_MAX, ttl: KEPT_MS })
  const keyOf = ({ kind, days }: Question) => `${kind} ${days}`
  const ask = lines.addedUp.shared<Question, KindCounts>({
    read: async (db, question) => {
      const counts = await kindCounts(db, { ...question, nowMs: Date.now() })
      kept.set(keyOf(question), counts)
      return counts
    },
    keyOf,
    joinMs: KEPT_MS,
  })
  return async (question: Question, reader: TaskCaller) => {
    // They may have been read before the caller wrote what it wants to see.
    const known = reader.minLsn === undefined ? kept.get(keyOf(question)) : undefined
    return known ?? ask(question, reader)
  }
}
