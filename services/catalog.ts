import { notFound } from '../src/contract/decided-error.ts'
import type { RerankRequest, RerankResponse } from '../src/contract/rerank.ts'
import { uuidV7 } from '../src/contract/fields/event-id.ts'
import { impressionOf } from '../src/contract/impression.ts'
import { IMPRESSION_RECORDER } from '../src/contract/recorder.ts'
import { catalogApi, recorderApi } from '../src/contract/services.ts'
import { floorOf } from '../src/ranking/recommend/rerank.ts'
import { rerankAnswerOf } from '../src/ranking/recommend/rerank-answer.ts'
import { catalogEntries } from '../src/store/catalog/catalog-entry.ts'
import { catalogProduct } from '../src/store/catalog/catalog-product.ts'
import { createProductSearch } from '../src/store/catalog/product-search.ts'
import { metricsAnswer } from '../src/store/metrics/answer.ts'
import { littleKnown } from '../src/store/popularity/little-known.ts'
import { kindCounts, kindPage } from '../src/store/popularity/product-kinds.ts'
import { preferencesOf } from '../src/store/preferences/preferences.ts'
import { createRecommender } from '../src/store/recommendations/recommender.ts'
import { sharedReads } from '../src/store/recommendations/shared-reads.ts'
import { createSimilarProducts, RANKED_SHARE } from '../src/store/recommendations/similar-products.ts'
import { promoteRankingSettings } from '../src/store/similarity/ranking-settings.ts'
import { createServedVersions } from '../src/store/similarity/served-versions.ts'
import { promoteVersion } from '../src/store/similarity/version.ts'
import { shopperNamed } from '../src/store/shoppers/named-shopper.ts'
import { feedBatch, isFed } from '../src/store/shoppers/shopper-profile.ts'
import { recentEventsOf } from '../src/store/shoppers/shopper-recent.ts'
import { shopperIdsOf } from '../src/store/shoppers/shopper-redirect.ts'
import type { Deps } from './handler/deps.ts'
import { BACKGROUND, READ, RECORD } from './handler/handler-options.ts'
import { serviceOf } from './handler/with-options.ts'
import { leavingPlaces } from './recording/leave-place.ts'
import { recordingFunctions } from './recording/recording-functions.ts'
import { directStep, refusingStep } from './recording/step.ts'
import { takeBatch } from './recording/take-batch.ts'

/** Catalog: the products of the shop, and the profiles of shoppers. */
export const catalog = (deps: Deps) => {
  const record = leavingPlaces(recordingFunctions({ ...deps, step: directStep(deps) }))
  const refuse = refusingStep(deps)
  const search = createProductSearch()
  const { bytesMax } = deps.similarity
  const versions = createServedVersions({ db: deps.db, bytesMax: bytesMax * (1 - RANKED_SHARE) })
  const similar = createSimilarProducts({ versions, db: deps.db, bytesMax: bytesMax * RANKED_SHARE })
  const recommend = createRecommender({
    versions,
    ...sharedReads({ db: deps.db, cacheMs: deps.popularCacheMs, rules: deps.recommend.rules }),
    settings: deps.recommend,
  })
  return serviceOf(
    catalogApi,
    deps,
    { retryPolicy: deps.retryPolicy },
    {
      AddInteraction: [
        BACKGROUND,
        (ctx, batch) =>
          takeBatch(deps, ctx, batch, {
            step: 'feed the profiles',
            target: 'profiles',
            take: feedBatch,
            isTaken: isFed,
            sendAgain: (again, message, options) => again.sendClient(catalogApi).AddInteraction(message, options),
          }),
      ],

      UpsertProducts: [RECORD, record.UpsertProducts],

      GetProduct: [
        READ,
        async (_ctx, { product_id: productId }) => {
          const product = await catalogProduct(deps.db, productId)
          if (product === undefined) throw notFound(`the catalog never had product ${productId}`)
          return product
        },
      ],

      SearchProducts: [READ, async (_ctx, request) => (await search.quick(deps.db, request)) ?? search.whole(deps.db, request)],

      Categories: [
        READ,
        async (ctx, request) => {
          const counts = await kindCounts(deps.db, { kind: 'category', days: request.days, nowMs: await ctx.date.now() })
          const { rows, meta } = kindPage(counts, 'category', request)
          return { data: rows.map(({ name, ...row }) => ({ category: name, ...row })), meta }
        },
      ],

      Brands: [
        READ,
        async (ctx, request) => {
          const counts = await kindCounts(deps.db, { kind: 'brand', days: request.days, nowMs: await ctx.date.now() })
          const { rows, meta } = kindPage(counts, 'brand', request)
          return { data: rows.map(({ name, ...row }) => ({ brand: name, ...row })), meta }
        },
      ],

      Metrics: [READ, (_ctx, request) => metricsAnswer({ db: deps.db, history: deps.metricHistory(deps.db) }, request)],

      Preferences: [
        READ,
        async (ctx, { shopper_id: shopperId }) => preferencesOf(deps.db, shopperId, await ctx.date.now(), deps.preferences),
      ],

      PromoteSimilaritySettings: [
        RECORD,
        (ctx, request) => refuse(ctx, 'promote the settings', () => promoteRankingSettings(deps.background, request)),
      ],

      PromoteSimilarity: [
        RECORD,
        (ctx, request) => refuse(ctx, 'promote the version', () => promoteVersion(deps.background, request)),
      ],

      Similar: [READ, async (_ctx, request) => (await similar.quick(request)) ?? similar.answer(deps.db, request)],
      Recommend: [
        READ,
        async (ctx, request) => {
          const nowMs = await ctx.date.now()
          // By the events that are fed.
          const context = { nowMs, live: async () => [], recommendationId: uuidV7(nowMs, bytesOf(ctx.rand.uuidv4())) }
          if (!deps.recordsImpressions) return recommend(deps.db, request, context)
          // A step, because a further attempt must send the same impression: another one does not fit the journal.
          const answer = await ctx.run('recommend', () => recommend(deps.db, request, context))
          const impressions = [impressionOf(request, answer)]
          ctx.sendClient(recorderApi, IMPRESSION_RECORDER).RecordImpressions({ impressions })
          return answer
        },
      ],
      Rerank: [READ, async (ctx, request) => rerankByFed(deps, request, await ctx.date.now())],
    },
  )
}

/** By the events that are fed. */
async function rerankByFed({ db, rerank, context }: Deps, request: RerankRequest, nowMs: number): Promise<RerankResponse> {
  const productIds = [...new Set(request.items.map(({ product_id }) => product_id))]
  const shopperIds = await shopperIdsOf(db, await shopperNamed(db, request))
  const events = await recentEventsOf(db, shopperIds)
  const products = await littleKnown(db, productIds, floorOf(request, rerank))
  const entries = await catalogEntries(db, productIds)
  const known = (id: string) => ({ ...products.get(id), category: entries.get(id)?.category })
  return rerankAnswerOf(request, { events, known, isPartial: false, nowMs }, { rerank, context })
}

/** The last ten bytes of a UUID, which are random but for its version and its variant. */
function bytesOf(uuid: string): Buffer {
  return Buffer.from(uuid.replaceAll('-', '').slice(12), 'hex')
}
