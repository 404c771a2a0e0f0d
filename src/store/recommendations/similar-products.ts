import { notFound } from '../../contract/decided-error.ts'
import type { SimilarProduct, SimilarRequest, SimilarResponse, SimilarStrategy } from '../../contract/similar-product.ts'
import { billionthsOf, decimalOf } from '../../ranking/recommend/billionths.ts'
import type { ProductFacts } from '../../ranking/recommend/facts.ts'
import { kindCandidates, type SimilarCandidate, similarListOf } from '../../ranking/recommend/similar-list.ts'
import { createProductReader, withProducts } from '../catalog/listed-product.ts'
import type { Queryable } from '../database/connection.ts'
import type { ServedVersion, ServedVersions } from '../similarity/served-versions.ts'
import { addFacts } from './product-facts.ts'
import { productsOfKind } from './products-of-kind.ts'
import { candidatesOf, createRankedCandidates, type RankedCandidates } from './ranked-candidates.ts'
import { createUnavailable } from './unavailable.ts'

export interface SimilarProducts {
  /**
   * The answer, when the best candidates fill the list: reads which of them can be bought, in a statement that is shared with other callers, and
   * the row of the product when it is not in memory. Undefined when more must be read.
   */
  quick: (request: SimilarRequest) => Promise<SimilarResponse | undefined>
  /**
   * The answer. Reads facts about candidates, always from PostgreSQL, and products of the category and brand when the list does not fill.
   * @param db  for the reads of this caller. @throws DecidedError (not_found) for a product of which nothing is known
   */
  answer: (db: Queryable, request: SimilarRequest) => Promise<SimilarResponse>
}

export interface SimilarProductsOptions {
  versions: ServedVersions
  /** For what all callers share. */
  db: Queryable
  /** What ranked lists may take in memory. */
  bytesMax: number
}

/** The part of the memory for similar products that ranked lists take; rows take the rest. */
export const RANKED_SHARE = 0.25

export function createSimilarProducts({ versions, db: shared, bytesMax }: SimilarProductsOptions): SimilarProducts {
  const unavailable = createUnavailable(shared)
  const ranked = createRankedCandidates(bytesMax)
  const products = createProductReader(shared)
  const expanded = async ({ data, meta }: SimilarResponse, { expand }: SimilarRequest): Promise<SimilarResponse> => ({
    data: await withProducts(products, data, expand),
    meta,
  })
  return {
    quick: (request) =>
      versions.withVersion(async (version) => {
        const { product_id: productId, kind, explain, limit } = request
        const number = version?.numberOf(productId)
        if (version === undefined || number === undefined || kind === 'alternatives' || explain) return undefined
        const { ids, totals } = await ranked(version, number, kind)
        const gone = await unavailable(ids.slice(0, triedFor(limit)))
        const data = firstOf({ ids, totals }, gone, limit)
        const meta = metaOf(request, version, kind === 'similar' ? 'similarity' : kind)
        return data && expanded({ data, meta }, request)
      }),
    answer: (db, request) => versions.withVersion(async (version) => expanded(await answer(db, version, request), request)),
  }
}

/** Candidates that are looked at first; few of them cannot be bought. */
function triedFor(limit: number): number {
  return limit + 5
}

/** The first candidates that can be bought; undefined when those that were looked at do not fill the list. */
function firstOf(
  { ids, totals }: RankedCandidates,
  gone: ReadonlyMap<string, true>,
  limit: number,
): SimilarProduct[] | undefined {
  const data: SimilarProduct[] = []
  const tried = Math.min(ids.length, triedFor(limit))
  for (let at = 0; at < tried && data.length < limit; at++) {
    if (!gone.has(ids[at]!)) data.push({ product_id: ids[at]!, score: decimalOf(totals[at]!), rank: data.length + 1 })
  }
  return data.length === limit ? data : undefined
}

function metaOf(
  { kind }: SimilarRequest,
  version: ServedVersion | undefined,
  strategy: SimilarStrategy,
): SimilarResponse['meta'] {
  // Nothing can be missing: without PostgreSQL there is no answer.
  return { kind, strategy, similarity_version: version?.version ?? null, is_partial: false }
}

async function answer(db: Queryable, version: ServedVersion | undefined, request: SimilarRequest): Promise<SimilarResponse> {
  const { product_id: productId, kind } = request
  const facts = new Map<string, ProductFacts>()
  const number = version?.numberOf(productId)
  if (version === undefined || number === undefined) {
    await addFacts(db, facts, [productId])
    if (!facts.has(productId)) throw notFound(`neither the catalog nor the log has product ${productId}`)
    return { data: await ofItsKind(db, facts, request, 1), meta: metaOf(request, version, 'category_and_brand') }
  }
  const candidates = await candidatesOf(version, number, kind === 'bought_together' ? kind : 'similar')
  const data = await bestOf(db, candidates, facts, request)
  if (kind === 'bought_together') return { data, meta: metaOf(request, version, kind) }
  return {
    data: await filled(db, data, facts, { request, weight: version.contentWeight }),
    meta: metaOf(request, version, 'similarity'),
  }
}

/** Facts that are read at first for each product of the list; most lists leave out few. */
const FACTS_PER_PRODUCT = 2
const FACTS_MORE = 10

/**
 * The best candidates that can be bought; ties by id. Facts are read of the best ones first, and of further ones only if the list does not
 * fill, because a product with fewer points cannot come before them.
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
    // Ties are ordered by id, so all of them are read.
    const last = ranked[count - 1]?.total ?? 0
    const some = ranked.filter(({ total }) => total >= last).map(({ candidate }) => candidate)
    const unread = [productId, ...some.map((candidate) => candidate.productId)].filter((id) => !facts.has(id))
    await addFacts(db, facts, unread)
    const category = kind === 'alternatives' ? (facts.get(productId)?.category ?? NO_CATEGORY) : undefined
    const list = similarListOf(some, { productId, facts: withoutPopularity(facts), category, limit, explains })
    if (list.length === limit || some.length === ranked.length) return list
  }
}

/** So that ties are in the same order as where facts are not read. */
function withoutPopularity(facts: ReadonlyMap<string, ProductFacts>): Map<string, ProductFacts> {
  return new Map(Array.from(facts, ([id, known]) => [id, { ...known, trending: 0 }]))
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
  )
  const ofKind = new Map(others.map((id) => [id, facts.get(id)!]))
  const candidates = kindCandidates({ category, brand }, ofKind).map(({ parts, ...candidate }) => ({
    ...candidate,
    parts: parts.map((part) => ({ ...part, value: part.value * weight })),
  }))
  return similarListOf(candidates, { productId, facts, limit, explains })
}
