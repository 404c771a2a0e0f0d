import { instantOf } from '../../contract/fields/time.ts'
import type { RecommendRequest, RecommendResponse } from '../../contract/recommendation.ts'
import { strategyOf } from '../../ranking/recommend/candidates.ts'
import { recommendationOf, type Terms } from '../../ranking/recommend/explanation.ts'
import type { RecommendConfig } from '../../ranking/recommend/recommend.ts'
import { SCORE_DEFAULTS } from '../../ranking/recommend/score.ts'
import { type ProductReader, withProducts } from '../catalog/listed-product.ts'
import type { Queryable } from '../database/connection.ts'
import { littleKnown } from '../popularity/little-known.ts'
import type { ServedVersion, ServedVersions } from '../similarity/served-versions.ts'
import type { FactsReader } from './facts-reader.ts'
import { knownShopper, type ReadLive } from './known-shopper.ts'
import type { ListCache } from './list-cache.ts'
import { createNeighbourFinder } from './neighbours.ts'
import type { ShopperReader } from './read-shopper.ts'
import { type MadePage, type PageCache, questionOf } from './page-cache.ts'
import { rankProducts, type RankedPage } from './rank-products.ts'
import { optionsOf, type RankQuery } from './rank-query.ts'

export interface RecommenderOptions {
  versions: ServedVersions
  lists: ListCache
  facts: FactsReader
  shoppers: ShopperReader
  pages: PageCache
  products: ProductReader
  settings: RecommendConfig
}

/** What an answer depends on apart from the request and the database. */
export interface RecommendContext {
  recommendationId: string
  nowMs: number
  live: ReadLive
}

/**
 * Answers a request. @param db  for reads of this caller alone: of unknown products to exclude, and of what was shown. @throws DecidedError when the session is not of the account
 */
export type Recommender = (db: Queryable, request: RecommendRequest, context: RecommendContext) => Promise<RecommendResponse>

/**
 * One answer reads what the shopper did, rows of the version that are not in memory, and facts about the candidates, always from
 * PostgreSQL, each in a statement that it shares with the other callers of the moment. A list that needs all candidates reads facts twice.
 */
export function createRecommender(options: RecommenderOptions): Recommender {
  const { versions, lists, facts, shoppers, pages, products } = options
  const findNeighbours = createNeighbourFinder()

  const answer = async (
    db: Queryable,
    version: ServedVersion | undefined,
    request: RecommendRequest,
    context: RecommendContext,
  ) => {
    const settings = { ...options.settings, decay: version?.decay ?? SCORE_DEFAULTS.decay }
    const shared = await lists.shared()
    const { nowMs, live } = context
    const shopper = await knownShopper(db, request, { eventTypes: shared.eventTypes, shoppers, live, nowMs })
    const { interactions_min: interactionsMin = settings.interactionsMin, blend = settings.blend } = request
    const strategy = version === undefined ? 'popular' : strategyOf(shopper.history, interactionsMin)
    const personal = strategy === 'personal' ? version : undefined
    const make = async (): Promise<MadePage> => {
      const query: RankQuery = {
        ...{ strategy, shopper, shared, settings },
        neighbours: personal && (await findNeighbours(personal, shopper.history.items, request.explain)),
        newer: personal === undefined ? [] : await lists.newer(personal.version),
        options: optionsOf(request),
        explains: request.explain,
      }
      const ranked = await rankProducts({ lists, facts }, query)
      return { data: dataOf(ranked, query), standsOn: ranked.standsOn }
    }
    const unknown = await unknownOf(db, request.exclude)
    // An explanation has the ids and times of events.
    const data = request.explain
      ? (await make()).data
      : await pages.pageFor(questionOf(request, shopper, version?.version), strategy, make)
    return {
      data: await withProducts(products, data, request.expand),
      meta: {
        recommendation_id: context.recommendationId,
        ...{ strategy, blend },
        similarity_version: version?.version ?? null,
        is_partial: shopper.isPartial,
        interactions: shopper.history.interactions,
        generated_at: instantOf(nowMs),
        ...(unknown.length > 0 && { unknown_excluded: unknown }),
      },
    }
  }

  return (db, request, context) => versions.withVersion((version) => answer(db, version, request, context))
}

async function unknownOf(db: Queryable, productIds: readonly string[] = []): Promise<string[]> {
  if (productIds.length === 0) return []
  const ids = [...new Set(productIds)]
  const known = await littleKnown(db, ids, 1)
  return ids.filter((id) => known.get(id)?.isUnknown)
}

function dataOf({ page, facts }: RankedPage, query: RankQuery): RecommendResponse['data'] {
  const { neighbours, shopper, settings, explains } = query
  const terms: Terms | undefined = explains
    ? {
        facts,
        history: shopper.history.items,
        decay: settings.decay,
        contentWeight: neighbours?.contentWeight ?? 0,
        termsOf: neighbours?.termsOf ?? (() => []),
      }
    : undefined
  return page.map((product) => recommendationOf(product, terms))
}
