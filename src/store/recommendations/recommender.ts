import { instantOf } from '../../contract/fields/time.ts'
import type { RecommendRequest, RecommendResponse } from '../../contract/recommendation.ts'
import { strategyOf } from '../../ranking/recommend/candidates.ts'
import { recommendationOf, type Terms } from '../../ranking/recommend/explanation.ts'
import type { RecommendSettings } from '../../ranking/recommend/recommend.ts'
import type { Queryable } from '../database/connection.ts'
import { littleKnown } from '../popularity/little-known.ts'
import type { ServedVersion, ServedVersions } from '../similarity/served-versions.ts'
import type { FactsReader } from './facts-reader.ts'
import { knownShopper, type ReadLive } from './known-shopper.ts'
import type { ListCache } from './list-cache.ts'
import { createNeighbourFinder } from './neighbours.ts'
import { rankProducts, type RankedPage } from './rank-products.ts'
import { optionsOf, type RankQuery } from './rank-query.ts'

export interface RecommenderOptions {
  versions: ServedVersions
  lists: ListCache
  facts: FactsReader
  settings: RecommendSettings
}

/** What an answer depends on apart from the request and the database. */
export interface RecommendContext {
  recommendationId: string
  nowMs: number
  live: ReadLive
}

/** Answers a request. @param db  for the reads of this caller. @throws DecidedError when the session is not of the account. */
export type Recommender = (db: Queryable, request: RecommendRequest, context: RecommendContext) => Promise<RecommendResponse>

/**
 * One answer reads what the shopper did, rows of the version that are not in memory, and facts about the candidates, always from
 * PostgreSQL. A list that needs all candidates reads facts a second time.
 */
export function createRecommender({ versions, lists, facts, settings }: RecommenderOptions): Recommender {
  const findNeighbours = createNeighbourFinder(settings.decay)

  const answer = async (
    db: Queryable,
    version: ServedVersion | undefined,
    request: RecommendRequest,
    context: RecommendContext,
  ) => {
    const shared = await lists.shared()
    const { nowMs, live } = context
    const shopper = await knownShopper(db, request, { eventTypes: shared.eventTypes, rules: settings.rules, live, nowMs })
    const { interactions_min: interactionsMin = settings.interactionsMin, blend = settings.blend } = request
    const strategy = version === undefined ? 'popular' : strategyOf(shopper.history, interactionsMin)
    const personal = strategy === 'personal' ? version : undefined
    const query: RankQuery = {
      ...{ strategy, shopper, shared, settings },
      neighbours: personal && (await findNeighbours(personal, shopper.history.items)),
      newer: personal === undefined ? [] : await lists.newer(personal.version),
      options: optionsOf(request),
      explains: request.explain,
    }
    const unknown = await unknownOf(db, request.exclude)
    return {
      data: dataOf(await rankProducts({ db, lists, facts }, query), query),
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
