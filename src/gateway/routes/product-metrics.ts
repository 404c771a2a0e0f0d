import type { RouteShorthandOptions } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { ErrorBody } from '../../contract/error.ts'
import { Id } from '../../contract/fields/id.ts'
import { wholeNumberOfText } from '../../contract/fields/whole-number.ts'
import {
  CategoriesMetricsQuery,
  CategoriesMetricsResponse,
  CategoryHistoryResponse,
  CategoryMetricsResponse,
  HISTORY_STATES_MAX,
  LowStockHistoryResponse,
  LowStockResponse,
  MetricsAtQuery,
  MetricsHistoryQuery,
  type MetricsRequest,
  SellerHistoryResponse,
  SellerMetricsResponse,
  SellersMetricsQuery,
  SellersMetricsResponse,
} from '../../contract/product-metrics.ts'
import { historyAnswer, metricsAnswer } from '../../store/metrics/answer.ts'
import { metricsOfCategories, metricsOfSellers } from '../../store/metrics/metric-state.ts'
import { taskCallerOf } from '../access/caller.ts'
import { sellerOf } from '../access/seller-access.ts'
import { repeatable } from '../http/repeated.ts'
import type { FastifyRequest } from 'fastify'
import type { RouteDeps, RoutePlugin } from './deps.ts'

const EXACT =
  'Exactly what the catalog has at the moment of the answer. With `at`, the newest state that was recorded by that instant: a state is recorded within seconds of a change, at most once a minute, and expires 30 days after the next one.'
const STATES = 'At most one a minute, and none while nothing changes. A state expires 30 days after the next one.'
const NOT_RECORDED = ErrorBody.describe('No state was recorded by that instant, or it has expired.')

const SellerParams = z.strictObject({
  seller_id: Id.describe("The shop's id of the seller.").meta({ examples: ['north-light'] }),
})
const CategoryParams = z.strictObject({
  category: Id.describe('The category, as products have it.').meta({ examples: ['lighting'] }),
})
const HistoryQuery = MetricsHistoryQuery.extend({
  limit: wholeNumberOfText(1, HISTORY_STATES_MAX).default(100).describe('How many states.'),
})

const SELLER = {
  config: { access: 'read', ofSeller: true },
  schema: {
    operationId: 'sellerMetrics',
    summary: 'The products of a seller, in numbers',
    description: `${EXACT} A key or token of a seller gets that one, and no other.`,
    tags: ['catalog'],
    params: SellerParams,
    querystring: MetricsAtQuery,
    response: {
      200: SellerMetricsResponse.describe('The numbers; zeros for a seller without products.'),
      404: NOT_RECORDED,
    },
  },
} as const satisfies RouteShorthandOptions

const CATEGORY = {
  config: { access: 'read' },
  schema: {
    operationId: 'categoryMetrics',
    summary: 'The products of a category, in numbers',
    description: EXACT,
    tags: ['catalog'],
    params: CategoryParams,
    querystring: MetricsAtQuery,
    response: {
      200: CategoryMetricsResponse.describe('The numbers; zeros for a category without products.'),
      404: NOT_RECORDED,
    },
  },
} as const satisfies RouteShorthandOptions

const NOW = 'Exactly what the catalog has, all at the moment of the answer.'

const SELLERS = {
  config: { access: 'read' },
  schema: {
    operationId: 'sellersMetrics',
    summary: 'The products of several sellers, in numbers',
    description: NOW,
    tags: ['catalog'],
    querystring: SellersMetricsQuery,
    response: { 200: SellersMetricsResponse.describe('The numbers of each seller.') },
  },
  preValidation: repeatable('seller_ids'),
} as const satisfies RouteShorthandOptions

const CATEGORIES = {
  config: { access: 'read' },
  schema: {
    operationId: 'categoriesMetrics',
    summary: 'The products of several categories, in numbers',
    description: NOW,
    tags: ['catalog'],
    querystring: CategoriesMetricsQuery,
    response: { 200: CategoriesMetricsResponse.describe('The numbers of each category.') },
  },
  preValidation: repeatable('categories'),
} as const satisfies RouteShorthandOptions

const LOW_STOCK = {
  config: { access: 'read' },
  schema: {
    operationId: 'lowStock',
    summary: 'Products that are nearly sold out',
    description: `The count: ${EXACT[0]!.toLowerCase()}${EXACT.slice(1)} With \`at\`, the answer has the count alone.`,
    tags: ['catalog'],
    querystring: MetricsAtQuery,
    response: { 200: LowStockResponse.describe('The products with the fewest items first, at most 1,000.'), 404: NOT_RECORDED },
  },
} as const satisfies RouteShorthandOptions

const SELLER_HISTORY = {
  config: { access: 'read', ofSeller: true },
  schema: {
    operationId: 'sellerMetricsHistory',
    summary: 'The states of a seller',
    description: STATES,
    tags: ['catalog'],
    params: SellerParams,
    querystring: HistoryQuery,
    response: { 200: SellerHistoryResponse.describe('States of the range, the newest first.') },
  },
} as const satisfies RouteShorthandOptions

const CATEGORY_HISTORY = {
  config: { access: 'read' },
  schema: {
    operationId: 'categoryMetricsHistory',
    summary: 'The states of a category',
    description: STATES,
    tags: ['catalog'],
    params: CategoryParams,
    querystring: HistoryQuery,
    response: { 200: CategoryHistoryResponse.describe('States of the range, the newest first.') },
  },
} as const satisfies RouteShorthandOptions

const LOW_STOCK_HISTORY = {
  config: { access: 'read' },
  schema: {
    operationId: 'lowStockHistory',
    summary: 'The states of low stock',
    description: STATES,
    tags: ['catalog'],
    querystring: HistoryQuery,
    response: { 200: LowStockHistoryResponse.describe('States of the range, the newest first.') },
  },
} as const satisfies RouteShorthandOptions

const PATH = '/api/v1/catalog/metrics'

export function productMetricsRoutes({ lines, metricHistory }: RouteDeps): RoutePlugin {
  const answer = (request: FastifyRequest, asked: MetricsRequest) =>
    (asked.at === undefined ? lines.short : lines.history).read(taskCallerOf(request), (db) =>
      metricsAnswer({ db, history: metricHistory(db) }, asked),
    )
  const history = (request: FastifyRequest, asked: MetricsRequest, range: MetricsHistoryQuery) =>
    lines.history.read(taskCallerOf(request), (db) => historyAnswer<never>(metricHistory(db), asked, range))
  const withMeta = <Data>(data: Data | undefined, recorded_at: string | undefined) => ({
    data: data!,
    ...(recorded_at !== undefined && { meta: { recorded_at } }),
  })
  return async (app) => {
    const routes = app.withTypeProvider<ZodTypeProvider>()

    routes.get(`${PATH}/sellers`, SELLERS, async (request) => ({
      data: await lines.short.read(taskCallerOf(request), (db) => metricsOfSellers(db, request.query.seller_ids)),
    }))
    routes.get(`${PATH}/categories`, CATEGORIES, async (request) => ({
      data: await lines.short.read(taskCallerOf(request), (db) => metricsOfCategories(db, request.query.categories)),
    }))
    routes.get(`${PATH}/sellers/:seller_id`, SELLER, async (request) => {
      const { seller, recorded_at } = await answer(request, {
        seller_id: sellerOf(request, request.params.seller_id),
        ...request.query,
      })
      return withMeta(seller, recorded_at)
    })
    routes.get(`${PATH}/categories/:category`, CATEGORY, async (request) => {
      const { category, recorded_at } = await answer(request, { ...request.params, ...request.query })
      return withMeta(category, recorded_at)
    })
    routes.get(`${PATH}/low-stock`, LOW_STOCK, async (request) => {
      const { low_stock, recorded_at } = await answer(request, { low_stock: true, ...request.query })
      return withMeta(low_stock, recorded_at)
    })

    routes.get(`${PATH}/sellers/:seller_id/history`, SELLER_HISTORY, async (request) => ({
      data: await history(request, { seller_id: sellerOf(request, request.params.seller_id) }, request.query),
    }))
    routes.get(`${PATH}/categories/:category/history`, CATEGORY_HISTORY, async (request) => ({
      data: await history(request, request.params, request.query),
    }))
    routes.get(`${PATH}/low-stock/history`, LOW_STOCK_HISTORY, async (request) => ({
      data: await history(request, { low_stock: true }, request.query),
    }))
  }
}
