import type { SimilarProduct, SimilarRequest, SimilarResponse, SimilarStrategy } from '../../contract/similar-product.ts'
import { notFound } from '../../contract/decided-error.ts'
import { billionthsOf } from '../../ranking/recommend/billionths.ts'
import type { ProductFacts } from '../../ranking/recommend/facts.ts'
import { neighboursOf } from '../../ranking/recommend/similar.ts'
import {
  boughtTogetherCandidates,
  kindCandidates,
  type SimilarCandidate,
  similarCandidates,
  similarListOf,
} from '../../ranking/recommend/similar-list.ts'
import type { Queryable } from '../database/connection.ts'
import type { SimilarityRow } from '../similarity/rows.ts'
import type { ServedVersion, ServedVersions } from '../similarity/served-versions.ts'
import { addFacts } from './product-facts.ts'
import { productsOfKind } from './products-of-kind.ts'

/** Answers a request. @param db  for the reads of this caller. @throws DecidedError (not_found) for a product of which nothing is known. */
export type SimilarProducts = (db: Queryable, request: SimilarRequest) => Promise<SimilarResponse>

/**
 * One answer reads the row of the product when it is not in memory, and facts about the best candidates, always from PostgreSQL. A list that
 * does not fill reads the products of its category and brand too.
 */
export function createSimilarProducts(versions: ServedVersions): SimilarProducts {
  return (db, request) => versions.withVersion(db, (version) => answer(db, version, request))
}

async function answer(db: Queryable, version: ServedVersion | undefined, request: SimilarRequest): Promise<SimilarResponse> {
  const { product_id: productId, kind } = request
  const facts = new Map<string, ProductFacts>()
  const number = version?.numberOf(productId)
  const meta = (strategy: SimilarStrategy) => ({
    ...{ kind, strategy, similarity_version: version?.version ?? null },
    // Nothing of it can be missing: without PostgreSQL there is no answer.
    is_partial: false,
  })
  if (version === undefined || number === undefined) {
    await addFacts(db, facts, [productId], NONE)
    if (!facts.has(productId)) throw notFound(`neither the catalog nor the log has product ${productId}`)
    return { data: await ofItsKind(db, facts, request, 1), meta: meta('category_and_brand') }
  }
  const row = (await version.rows([number])).row(number)!
  if (kind === 'bought_together') {
    return { data: await bestOf(db, boughtOf(version, row), facts, request), meta: meta('bought_together') }
  }
  const data = await bestOf(db, similarOf(version, row), facts, request)
  return { data: await filled(db, data, facts, { request, weight: version.contentWeight }), meta: meta('similarity') }
}

const NONE: ReadonlySet<string> = new Set()

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

/** Facts that are read at first for each product of the list; most lists leave out few. */
const FACTS_PER_PRODUCT = 2
const FACTS_MORE = 10

/**
 * The best candidates that can be bought. Facts are read of the best ones first, and of further ones only if the list does not fill: a product
 * with fewer points cannot come before them.
 */
async function bestOf(
  db: Queryable,
  candidates: readonly SimilarCandidate[],
  facts: Map<string, ProductFacts>,
  request: SimilarRequest,
): Promise<SimilarProduct[]> {
  const { product_id: productId, limit, explain: explains, kind } = request
  const points = (candidate: SimilarCandidate) => billionthsOf(candidate.parts.reduce((sum, { value }) => sum + value, 0))
  const ranked = candidates.map((candidate) => ({ candidate, total: points(candidate) })).sort((a, b) => b.total - a.total)
  for (let count = limit * FACTS_PER_PRODUCT + FACTS_MORE; ; count *= 4) {
    // Ties are ordered by facts, so all of them are read.
    const last = ranked[count - 1]?.total ?? 0
    const some = ranked.filter(({ total }) => total >= last).map(({ candidate }) => candidate)
    const unread = [productId, ...some.map((candidate) => candidate.productId)].filter((id) => !facts.has(id))
    await addFacts(db, facts, unread, NONE)
    const category = kind === 'alternatives' ? (facts.get(productId)?.category ?? NO_CATEGORY) : undefined
    const list = similarListOf(some, { productId, facts, category, limit, explains })
    if (list.length === limit || some.length === ranked.length) return list
  }
}

/** No product has it, so a product without a category has no alternatives. */
const NO_CATEGORY = ''

/** Adds products of its category and brand to a list that is not full. Their points are below those of the list. */
async function filled(
  db: Queryable,
  list: SimilarProduct[],
  facts: Map<string, ProductFacts>,
  { request, weight }: { request: SimilarRequest; weight: number },
): Promise<SimilarProduct[]> {
  if (list.length === request.limit) return list
  const listed = new Set(list.map(({ product_id: id }) => id))
  const least = Math.min(list.at(-1)?.score ?? 1, weight === 0 ? 1 : weight)
  const more = (await ofItsKind(db, facts, request, least)).filter(({ product_id: id }) => !listed.has(id))
  return [...list, ...more].slice(0, request.limit).map((product, at) => ({ ...product, rank: at + 1 }))
}

/** Products of its category or brand, those of both first. */
async function ofItsKind(
  db: Queryable,
  facts: Map<string, ProductFacts>,
  { product_id: productId, kind, limit, explain: explains }: SimilarRequest,
  weight: number,
): Promise<SimilarProduct[]> {
  const { category, brand } = facts.get(productId) ?? {}
  const others = await productsOfKind(db, { category, brand: kind === 'alternatives' ? undefined : brand }, limit + 1)
  await addFacts(
    db,
    facts,
    others.filter((id) => !facts.has(id)),
    NONE,
  )
  const ofKind = new Map(others.map((id) => [id, facts.get(id)!]))
  const candidates = kindCandidates({ category, brand }, ofKind).map(({ parts, ...candidate }) => ({
    ...candidate,
    parts: parts.map((part) => ({ ...part, value: part.value * weight })),
  }))
  return similarListOf(candidates, { productId, facts, limit, explains })
}
