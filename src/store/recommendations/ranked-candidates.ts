import type { SimilarKind } from '../../contract/similar-product.ts'
import { billionthsOf } from '../../ranking/recommend/billionths.ts'
import { neighboursOf } from '../../ranking/recommend/similar.ts'
import { boughtTogetherCandidates, type SimilarCandidate, similarCandidates } from '../../ranking/recommend/similar-list.ts'
import { createByteCache, productKey } from '../similarity/byte-cache.ts'
import type { SimilarityRow } from '../similarity/rows.ts'
import type { ServedVersion } from '../similarity/served-versions.ts'

/** The candidates for a list of similar products, best first; ties by id. */
export interface RankedCandidates {
  ids: readonly string[]
  /** Their points, in billionths. */
  totals: readonly number[]
}

/** How the row of a product is read: alternatives are similar products too. */
type List = Exclude<SimilarKind, 'alternatives'>

const LISTS = ['similar', 'bought_together'] as const satisfies readonly List[]

/** Candidates that are kept of each list. They fill nearly every list of 20 products, and longer ones are ranked each time. */
export const KEPT_MAX = 40

/** What was ranked last, because ranking a row takes as long as all other work on an answer. */
export function createRankedCandidates(bytesMax: number) {
  const caches = Object.fromEntries(
    LISTS.map((list) => [list, createByteCache<RankedCandidates>(bytesMax / LISTS.length, ({ ids }) => 300 + 16 * ids.length)]),
  ) as Record<List, ReturnType<typeof createByteCache<RankedCandidates>>>

  return async (version: ServedVersion, productNo: number, list: List): Promise<RankedCandidates> => {
    const key = productKey(version.version, productNo)
    const kept = caches[list].get(key)
    if (kept !== undefined) return kept
    const ranked = rankedOf(await candidatesOf(version, productNo, list), version)
    caches[list].add(key, ranked)
    return ranked
  }
}

function rankedOf(candidates: readonly SimilarCandidate[], { ids, numberOf }: ServedVersion): RankedCandidates {
  // Numbers are in the order of ids.
  const ranked = candidates
    .map(({ productId, parts }) => ({
      number: numberOf(productId)!,
      total: billionthsOf(parts.reduce((sum, { value }) => sum + value, 0)),
    }))
    .filter(({ total }) => total > 0)
    .sort((one, other) => other.total - one.total || one.number - other.number)
  const kept = ranked.slice(0, KEPT_MAX)
  return { ids: kept.map(({ number }) => ids[number]!), totals: kept.map(({ total }) => total) }
}

/** The candidates of a product with the parts of their points. */
export async function candidatesOf(version: ServedVersion, productNo: number, list: List): Promise<SimilarCandidate[]> {
  const row = (await version.rows([productNo])).row(productNo)!
  return list === 'similar' ? similarOf(version, row) : boughtOf(version, row)
}

function similarOf(version: ServedVersion, row: SimilarityRow): SimilarCandidate[] {
  const { contentWeight } = version
  const rows = { contentWeight, row: (productNo: number) => (productNo === row.productNo ? row : backRow(row, productNo)) }
  const neighbours = neighboursOf(row.productNo, rows) ?? []
  return similarCandidates(neighbours, { idOf: (productNo) => version.ids[productNo]!, contentWeight })
}

const NO_NUMBERS = new Int32Array(0)
const NO_COSINES = new Float32Array(0)

/** What the row of a neighbour says of the product: the product's own row has it too. */
function backRow({ productNo, neighbours, backScores, backCounts }: SimilarityRow, neighbour: number) {
  const at = neighbours.indexOf(neighbour)
  if (at < 0 || backCounts[at] === 0) return undefined
  return {
    neighbours: Int32Array.of(productNo),
    scores: backScores.subarray(at, at + 1),
    counts: backCounts.subarray(at, at + 1),
    contentNeighbours: NO_NUMBERS,
    cosines: NO_COSINES,
  }
}

function boughtOf({ ids, baskets }: ServedVersion, { productNo, bought, boughtCounts }: SimilarityRow): SimilarCandidate[] {
  const pairs = Array.from(bought, (other, at) => ({
    productId: ids[other]!,
    together: boughtCounts[at]!,
    otherOrders: baskets[other]!,
  }))
  return boughtTogetherCandidates(pairs, baskets[productNo]!)
}
