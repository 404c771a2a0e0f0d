import type { SimilarProduct, SimilarShare } from '../../contract/similar-product.ts'
import { compareBytes } from '../byte-order.ts'
import { billionthsOf, decimalOf, sharesOf } from './billionths.ts'
import { type Facts, isAvailable, NO_FACTS, type ProductFacts } from './facts.ts'
import type { Neighbour } from './similar.ts'

/** A product of a list of similar ones, with the parts of its score. */
export interface SimilarCandidate {
  productId: string
  parts: SimilarPart[]
}

export interface SimilarPart {
  value: number
  share: DistributiveOmit<SimilarShare, 'share'>
}

type DistributiveOmit<Union, Key extends PropertyKey> = Union extends unknown ? Omit<Union, Key> : never

interface SimilarQuery {
  /** The product that was asked for. */
  productId: string
  /** Of the candidates. */
  facts: Facts
  /** Only products of this category. */
  category?: string | undefined
  limit: number
  explains: boolean
}

/** The products that can be bought, best first; ties by popularity and then by id. */
export function similarListOf(candidates: readonly SimilarCandidate[], query: SimilarQuery): SimilarProduct[] {
  const { productId: asked, facts, category, limit, explains } = query
  const scored = candidates.flatMap(({ productId, parts }) => {
    const known = facts.get(productId) ?? NO_FACTS
    const isOther = productId !== asked && (category === undefined || known.category === category)
    const total = billionthsOf(parts.reduce((sum, { value }) => sum + value, 0))
    return isOther && isAvailable(known) && total > 0 ? { productId, parts, total, popularity: known.trending } : []
  })
  scored.sort(
    (one, other) => other.total - one.total || other.popularity - one.popularity || compareBytes(one.productId, other.productId),
  )
  return scored.slice(0, limit).map(({ productId, parts, total }, at) => ({
    product_id: productId,
    score: decimalOf(total),
    rank: at + 1,
    ...(explains && { reasons: { total, shares: similarShares(parts, total) } }),
  }))
}

function similarShares(parts: readonly SimilarPart[], total: number): SimilarShare[] {
  const counting = parts.filter(({ value }) => value > 0)
  const values = counting.map(({ value }) => value)
  const shares = sharesOf(values, total)
  return counting
    .map(({ share }, at): SimilarShare => ({ share: shares[at]!, ...share }))
    .sort((one, other) => other.share - one.share)
}

/** Neighbours of the similarities. @param idOf  the id of a product's number */
export function similarCandidates(
  neighbours: readonly Neighbour[],
  { idOf, contentWeight }: { idOf: (product: number) => string; contentWeight: number },
): SimilarCandidate[] {
  return neighbours.map(({ product, to, from, cosine }) => ({
    productId: idOf(product),
    parts: [
      { value: to.similarity, share: { part: 'to', ...to } },
      { value: from.similarity, share: { part: 'from', ...from } },
      { value: contentWeight * cosine, share: { part: 'content', cosine, content_weight: contentWeight } },
    ],
  }))
}

/** A product that was bought in the same orders or visits. */
export interface BoughtTogether {
  productId: string
  /** Orders and visits with both. */
  together: number
  /** Those with this one. */
  otherOrders: number
}

/** The similarity of two products of which only few orders tell is shrunk by so many orders. */
const ORDERS_SHRINKAGE = 1

/** Cosine of the sets of orders, shrunk: n / √(n_i n_j) · n / (n + 1). @param orders  n_i, with the product that was asked for */
export function boughtTogetherCandidates(pairs: readonly BoughtTogether[], orders: number): SimilarCandidate[] {
  return pairs.map(({ productId, together, otherOrders }) => {
    const cosine = together === 0 ? 0 : together / Math.sqrt(orders * otherOrders)
    const value = (cosine * together) / (together + ORDERS_SHRINKAGE)
    const share = { part: 'bought_together', together, orders, other_orders: otherOrders } as const
    return { productId, parts: [{ value, share }] }
  })
}

/** For a product that the similarities do not have: half for the same category, half for the same brand. */
export function kindCandidates(asked: Pick<ProductFacts, 'category' | 'brand'>, others: Facts): SimilarCandidate[] {
  return Array.from(others, ([productId, { category, brand }]) => ({
    productId,
    parts: [
      ...(category !== undefined && category === asked.category ? [partOf({ part: 'category', category })] : []),
      ...(brand !== undefined && brand === asked.brand ? [partOf({ part: 'brand', brand })] : []),
    ],
  }))
}

function partOf(share: SimilarPart['share']): SimilarPart {
  return { value: 0.5, share }
}
