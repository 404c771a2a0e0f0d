import { billionthsOf } from '../../ranking/recommend/billionths.ts'
import { type PartWeights, partWeightsOf } from '../../ranking/recommend/blend.ts'
import { type Candidate, CANDIDATE_LIMITS } from '../../ranking/recommend/candidates.ts'
import { isAvailable, type ProductFacts } from '../../ranking/recommend/facts.ts'
import { byTotal, CAPPED_PLACES } from '../../ranking/recommend/page.ts'
import { type Ranked, recommend, type RecommendSettings } from '../../ranking/recommend/recommend.ts'
import type { Neighbours } from './neighbours.ts'
import { inputOf, isFiltering, type RankQuery, type RankSources } from './rank-query.ts'

/** How many neighbours are tried. The first ones fill most pages, and to rank one takes 2 µs. */
const ATTEMPTS = [60, 200, CANDIDATE_LIMITS.neighbours]
/** As many are sorted at first. */
const SORTED_MAX = 200
/** How often a page is made again because facts of its products changed. */
const CHANGES_MAX = 5

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
): Promise<Ranked[] | undefined> {
  const { strategy, neighbours, options, settings, shopper } = query
  const weights = partWeightsOf(settings.blends[options.blend ?? settings.blend], strategy)
  if (neighbours === undefined || !canBeQuick(query, weights)) return undefined
  const newer = new Set(query.newer)
  const fresh = query.newer.filter((productId) => !options.filters.exclude?.has(productId))
  const checked = new Set<string>()
  const check = async (productIds: readonly string[]) => {
    for (const productId of productIds) checked.add(productId)
    return reader.add(facts, productIds, newer)
  }
  const history = shopper.history.items.map(({ productId }) => productId)
  for (const { candidates: best, next } of attemptsOf(neighbours)) {
    const candidates = [...best, ...fresh.map((productId): Candidate => ({ productId, similarity: 0, sources: ['new'] }))]
    const unread = [...history, ...candidates.map(({ productId }) => productId)].filter(
      (productId) => !facts.has(productId) && !checked.has(productId) && !reader.addKept(facts, productId, newer),
    )
    await check([...new Set(unread)])
    for (let changes = 0; changes <= CHANGES_MAX; changes++) {
      const page = recommend(inputOf(query, candidates, facts))
      if (!isClosed(page, next, { query, weights })) break
      const unchecked = uncheckedOf(page, candidates, { facts, checked, weights })
      if (unchecked.length === 0 || !(await check(unchecked))) return page
    }
  }
  return undefined
}

function canBeQuick({ options, settings }: RankQuery, weights: PartWeights): boolean {
  return weights.similarity > 0 && options.limit <= CAPPED_PLACES && !isFiltering(options.filters) && !canRaise(settings)
}

/** Whether a rule can raise a score. */
function canRaise({ rules }: RecommendSettings): boolean {
  return Math.max(rules.seenFactor, rules.orderedFactor, rules.rotationFactor) > 1
}

interface Attempt {
  /** The best neighbours. */
  candidates: Candidate[]
  /** The highest similarity of all others. */
  next: number
}

function* attemptsOf(neighbours: Neighbours): Generator<Attempt> {
  let [best, isCut] = [neighbours.best(SORTED_MAX), true]
  let candidates: Candidate[] = []
  for (const max of ATTEMPTS) {
    if (max > best.length && best.length === SORTED_MAX) best = neighbours.best(max)
    isCut = best.length === max || best.length === SORTED_MAX
    const more = best.slice(candidates.length, max)
    candidates = [
      ...candidates,
      ...more.map(({ product, score }): Candidate => ({
        productId: neighbours.idOf(product),
        similarity: score,
        sources: ['neighbours'],
      })),
    ]
    yield { candidates, next: best[max]?.score ?? (isCut ? (best.at(-1)?.score ?? 0) : 0) }
    if (best.length < max) return
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

interface Known {
  facts: ReadonlyMap<string, ProductFacts>
  checked: ReadonlySet<string>
  weights: PartWeights
}

/** Products of the page, and those that would have a place if they were available, whose facts were not read now. */
function uncheckedOf(page: readonly Ranked[], candidates: readonly Candidate[], { facts, checked, weights }: Known): string[] {
  const lowest = Math.min(...page.map(({ total }) => total))
  const shown = page.map(({ productId }) => productId)
  const missed = candidates.filter(({ productId, similarity }) => {
    const known = facts.get(productId)
    return known !== undefined && !isAvailable(known) && highestOf(weights, similarity) >= lowest
  })
  return [...shown, ...missed.map(({ productId }) => productId)].filter((productId) => !checked.has(productId))
}
