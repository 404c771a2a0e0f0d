import { randomBytes } from 'node:crypto'
import type { FastifyRequest, RouteShorthandOptions } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { ErrorBody } from '../../contract/error.ts'
import { uuidV7 } from '../../contract/fields/event-id.ts'
import { impressionOf } from '../../contract/impression.ts'
import { namedShopper, namesShopper, NO_SHOPPER } from '../../contract/fields/named-shopper.ts'
import { wholeNumberOfText } from '../../contract/fields/whole-number.ts'
import {
  CAP_MAX,
  EMPTY_RANGE,
  hasPriceRange,
  HISTORY_MAX,
  PRICE_MAX,
  RecommendFromHistoryRequest,
  recommendationOptions,
  RecommendRequest,
  RecommendResponse,
} from '../../contract/recommendation.ts'
import { hasFilters } from '../../store/recommendations/rank-query.ts'
import type { Queryable } from '../../store/database/connection.ts'
import { createRecommender } from '../../store/recommendations/recommender.ts'
import { sharedReads } from '../../store/recommendations/shared-reads.ts'
import { taskCallerOf } from '../access/caller.ts'
import { repeatable } from '../http/repeated.ts'
import type { RouteDeps, RoutePlugin } from './deps.ts'

const describe = (name: keyof typeof recommendationOptions) => recommendationOptions[name].description!
const numberIn = (name: keyof typeof recommendationOptions, min: number, max: number) =>
  wholeNumberOfText(min, max).optional().describe(describe(name))
const yesOrNo = (name: keyof typeof recommendationOptions) => z.enum(['true', 'false']).default('false').describe(describe(name))

const preview = z
  .enum(['true', 'false'])
  .default('false')
  .describe('Whether an operator only looks at the list: then it is recorded as no impression.')

const Query = z
  .strictObject({
    ...namedShopper,
    account_id: namedShopper.account_id.meta({ examples: ['ada'] }),
    ...recommendationOptions,
    limit: wholeNumberOfText(1, 100).default(20).describe(describe('limit')),
    price_min: numberIn('price_min', 0, PRICE_MAX),
    price_max: numberIn('price_max', 0, PRICE_MAX),
    brand_max: numberIn('brand_max', 1, CAP_MAX),
    interactions_min: numberIn('interactions_min', 0, HISTORY_MAX),
    rotation: yesOrNo('rotation'),
    explain: yesOrNo('explain'),
    in_stock: yesOrNo('in_stock'),
    preview,
  })
  .refine(namesShopper, NO_SHOPPER)
  .refine(hasPriceRange, EMPTY_RANGE)

/** 500 of the longest ids to leave out, each character as two escapes, and 100 items of a history have 1.6 MB. */
const BODY_BYTES_MAX = 2 * 1024 * 1024
const ABOUT =
  "A score is a sum of terms of the shopper's own events, from products that other shoppers went on to, from common categories and brands, and from popularity; `explain` shows each term. Hidden and deleted products, and those out of stock, are never there. With too few interactions, and before the first similarities, the list has popular and trending products, and `meta.strategy` is `popular`. A filter that leaves nothing gives an empty list."
const RESPONSES = {
  200: RecommendResponse.describe('The products, best first.'),
  400: ErrorBody.describe('A field is wrong, or the session is not of the account; `details` names the field.'),
} as const

const FOR_SHOPPER = {
  config: { access: 'read', isPersonal: true },
  schema: {
    operationId: 'recommend',
    summary: 'What to show a shopper next',
    description: `${ABOUT} An event of \`POST /api/v1/event\` counts in the next answer. While the Redis of \`SHOPPER_STORE\` does not answer, events may be missing, and \`meta.is_partial\` is true.`,
    tags: ['recommendations'],
    querystring: Query,
    response: RESPONSES,
  },
  preValidation: repeatable('category_ids', 'brands', 'seller_ids', 'exclude'),
} as const satisfies RouteShorthandOptions

const FOR_HISTORY = {
  bodyLimit: BODY_BYTES_MAX,
  config: { access: 'read' },
  schema: {
    operationId: 'recommendForHistory',
    summary: 'What to show next after a history that the request brings',
    description: `${ABOUT} Nothing of the history is stored. An empty one gives what a new visitor gets.`,
    tags: ['recommendations'],
    body: RecommendFromHistoryRequest,
    querystring: z.strictObject({ preview }),
    response: { ...RESPONSES, 413: ErrorBody.describe('The body is over 2 MiB.') },
  },
} as const satisfies RouteShorthandOptions

/** Most answers share their statements with others. A filter can cost a scan of the catalog. */
function lineOf(request: RecommendRequest): 'short' | 'long' | undefined {
  if (hasFilters(request)) return 'long'
  return request.explain || request.rotation || request.exclude !== undefined ? 'short' : undefined
}

export function recommendationRoutes({ source, lines, live, similarity, settings, recording }: RouteDeps): RoutePlugin {
  const recommenderOf = (db: Queryable, cacheMs: number) =>
    createRecommender({
      versions: similarity,
      ...sharedReads({ db, cacheMs, rules: settings.recommend.rules }),
      settings: settings.recommend,
    })
  const usual = recommenderOf(source.shared, settings.popularCacheMs)
  // For callers that want to see what they have written: it keeps nothing, and reads from the primary.
  const upToDate = recommenderOf(source.primary, 0)
  const answer = async (request: FastifyRequest, body: RecommendRequest, { isPreview }: { isPreview: boolean }) => {
    const nowMs = Date.now()
    const context = { nowMs, live: live.read, recommendationId: uuidV7(nowMs, randomBytes(10)) }
    const line = lineOf(body)
    const recommend = request.minLsn === undefined ? usual : upToDate
    const answered = await (line === undefined
      ? recommend(request.minLsn === undefined ? source.shared : source.primary, body, context)
      : lines[line].read(taskCallerOf(request), (from) => recommend(from, body, context)))
    if (!isPreview) recording.impressions.note(impressionOf(body, answered))
    return answered
  }
  return async (app) => {
    const routes = app.withTypeProvider<ZodTypeProvider>()

    routes.get('/api/v1/recommendations', FOR_SHOPPER, (request) => {
      const { rotation, explain, preview, in_stock: _inStock, ...query } = request.query
      const body = { ...query, rotation: rotation === 'true', explain: explain === 'true' }
      return answer(request, body, { isPreview: preview === 'true' })
    })

    routes.post('/api/v1/recommendations', FOR_HISTORY, (request) =>
      answer(request, request.body, { isPreview: request.query.preview === 'true' }),
    )
  }
}
