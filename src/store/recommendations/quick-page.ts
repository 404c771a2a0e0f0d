import { billionthsOf } from '../../ranking/recommend/billionths.ts'
import { type PartWeights, partWeightsOf } from '../../ranking/recommend/blend.ts'
import { type Candidate, CANDIDATE_LIMITS } from '../../ranking/recommend/candidates.ts'
import { isAvailable, type ProductFacts } from '../../ranking/recommend/facts.ts'
import { byTotal, CAPPED_PLACES } from '../../ranking/recommend/page.ts'
import { type Ranked, recommend, type RecommendSettings } from '../../ranking/recommend/recommend.ts'
import type { Neighbours } from './neighbours.ts'
import type { Candidate as ScoredProduct } from '../../ranking/recommend/score.ts'
import { addFacts, inputOf, isFiltering, type RankQuery, type RankSources } from './rank-query.ts'

/** How many neighbours are tried. The first ones fill most pages, and to rank one takes 2 µs. */
const ATTEMPTS = [60, 200, CANDIDATE_LIMITS.neighbours]
/** As many are sorted at first. */
const SORTED_MAX = 200
/** How often a page is made again because facts of its products changed. */
const CHANGES_MAX = 5

export interface QuickPage {
  page: Ranked[]
  /** Products whose facts decide about the page: its own, and those that would have a place if they were available. */
  checked: string[]
}

/**
 * The page from the best neighbours of the history alone, when no other candidate can have a place: each of its products has a score above
 * what the others could have. Undefined when one might.
 *
 * It is ranked by facts that are kept. Of the products of the page, and of those that were not available, the facts are read now; when
 * they changed, the page is made again. So nothing is shown that the catalog does not have as it is shown.
 */
export async function quickPage(
  { facts: reader }: RankSources,
  query: RankQuery,
  facts: Map<string, ProductFacts>,
): Promise<QuickPage | undefined> {
  const { strategy, neighbours, options, settings, shopper } = query
  const weights = partWeightsOf(settings.blends[options.blend ?? settings.blend], strategy)
  if (neighbours === undefined || !canBeQuick(query, weights)) return undefined
  const fresh = query.newer.filter((productId) => !options.filters.exclude?.has(productId))
  const history = shopper.history.items.map(({ productId }) => productId)
  const lastByPlace = reader.lastByPlace(neighbours.ids)
  const read = async (productIds: readonly string[]) => addFacts(facts, await reader.read(productIds), productIds, query.newer)
  for (const { best, next } of attemptsOf(neighbours)) {
    const unread = new Set([...history, ...fresh].filter((productId) => !facts.has(productId)))
    let candidates = best.map(({ product, score }): Candidate => {
      const productId = neighbours.ids[product]!
      const known = facts.get(productId) ?? lastByPlace(product)?.facts
      if (known === undefined) unread.add(productId)
      return { productId, similarity: score, sources: ['neighbours'], facts: known }
    })
    await read([...unread])
    candidates.push(...fresh.map((productId): Candidate => ({ productId, similarity: 0, sources: ['new'], facts: undefined })))
    for (let changes = 0; changes <= CHANGES_MAX; changes++) {
      const page = recommend(inputOf(query, candidates, facts))
      if (!isClosed(page, next, { query, weights })) break
      const checked = [...page.map(({ productId }) => productId), ...missedBy(page, candidates, weights)]
      await read(checked.filter((productId) => !facts.has(productId)))
      if (!hasChanged(candidates, facts)) return { page, checked }
      candidates = candidates.map((candidate) => ({ ...candidate, facts: facts.get(candidate.productId) ?? candidate.facts }))
    }
  }
  return undefined
}

/** Whether facts that were read now differ from those that the page was made with. */
function hasChanged(candidates: readonly Candidate[], facts: ReadonlyMap<string, ProductFacts>): boolean {
  return candidates.some(({ productId, facts: last }) => last !== undefined && (facts.get(productId) ?? last) !== last)
}

function canBeQuick({ options, settings }: RankQuery, weights: PartWeights): boolean {
  return weights.similarity > 0 && options.limit <= CAPPED_PLACES && !isFiltering(options.filters) && !canRaise(settings)
}

/** Whether a rule can raise a score. */
function canRaise({ rules }: RecommendSettings): boolean {
  return Math.max(rules.seenFactor, rules.orderedFactor, rules.rotationFactor) > 1
}

interface Attempt {
  best: readonly ScoredProduct[]
  /** The highest similarity of all other neighbours. */
  next: number
}

function* attemptsOf(neighbours: Neighbours): Generator<Attempt> {
  let sorted = neighbours.best(SORTED_MAX)
  for (const max of ATTEMPTS) {
    if (max > SORTED_MAX) sorted = neighbours.best(max)
    const isCut = sorted.length === Math.max(max, SORTED_MAX)
    yield { best: sorted.slice(0, max), next: sorted[max]?.score ?? (isCut ? sorted.at(-1)!.score : 0) }
    if (!isCut && sorted.length <= max) return
  }
}

interface Bounds {
  query: RankQuery
  weights: PartWeights
}

/** Whether no other candidate can have a place. */
function isClosed(page: readonly Ranked[], next: number, { query, weights }: Bounds): boolean {
  const { options, settings } = query
  if (page.length < options.limit) return false
  const kept = keptOf(page, Math.floor(options.limit * settings.rules.newShare))
  const highest = highestOf(weights, next)
  return page.every((product) => product.total > highest || kept.has(product))
}

/** The highest score of a product with such a similarity. */
function highestOf(weights: PartWeights, similarity: number): number {
  return billionthsOf(weights.similarity * similarity + weights.base + weights.preference + weights.popularity)
}

/** The new products whose places are kept: all new products are among the candidates. */
function keptOf(page: readonly Ranked[], max: number): Set<Ranked> {
  const fresh = page.filter(({ facts }) => facts.isNew)
  return new Set(fresh.sort(byTotal).slice(0, max))
}

/** Products that would have a place if they were available. */
function missedBy(page: readonly Ranked[], candidates: readonly Candidate[], weights: PartWeights): string[] {
  const lowest = Math.min(...page.map(({ total }) => total))
  return candidates.flatMap(({ productId, facts, similarity }) =>
    facts !== undefined && !isAvailable(facts) && highestOf(weights, similarity) >= lowest ? [productId] : [],
  )
}
