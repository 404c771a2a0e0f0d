import { createBest } from '../similarity/best.ts'
import type { SimilarityRows } from '../recommend/score.ts'
import { factorize, inverse, solve } from './cholesky.ts'
import { createCommonShoppers, type Incidence, sizeOf } from './incidence.ts'
import { createWeightCollector } from './weights.ts'

export interface RidgeSettings {
  /** λ of the penalty. */
  lambda: number
  /** Sources of each target; with at least as many as there are other products, no source is left out. */
  sourcesMax: number
}

/** The exact model of so many products takes 14 s of a processor, and 430 MB. */
export const INVERSE_PRODUCTS_MAX = 2_500

/** Weights of more pairs are not held. */
const COMMON_PAIRS_MAX = 30_000_000

/**
 * A linear model of each product from the others that the same shoppers had, with a squared penalty: H. Steck, Embarrassingly shallow
 * autoencoders for sparse data, WWW 2019. A small catalogue gets the exact model, from one inverse; a larger one a model of the sources
 * with the highest cosine of each target.
 * @throws RangeError when the data is too dense for a catalogue of this size
 */
export function ridgeRows(incidence: Incidence, settings: RidgeSettings): SimilarityRows {
  const isExact = settings.sourcesMax >= incidence.products - 1 && incidence.products <= INVERSE_PRODUCTS_MAX
  return isExact ? exactRows(incidence, settings.lambda) : truncatedRows(incidence, settings)
}

/** B_ij = −P_ij / P_jj with P = (XᵀX + λI)⁻¹. */
function exactRows(incidence: Incidence, lambda: number): SimilarityRows {
  const { products } = incidence
  const gram = new Float64Array(products * products)
  const common = createCommonShoppers(incidence)
  for (let i = 0; i < products; i++) {
    const count = common.count(i)
    for (let at = 0; at < count; at++) gram[i * products + common.touched[at]!] = common.counts[common.touched[at]!]!
    gram[i * products + i] = sizeOf(incidence, i) + lambda
  }
  factorize(gram, products)
  const inverted = inverse(gram, products)
  const collector = createWeightCollector(products)
  for (let target = 0; target < products; target++) {
    const diagonal = inverted[target * products + target]!
    for (let source = 0; source < products; source++) {
      if (source !== target) collector.add(source, target, -inverted[source * products + target]! / diagonal)
    }
  }
  return collector.rows()
}

function truncatedRows(incidence: Incidence, { lambda, sourcesMax }: RidgeSettings): SimilarityRows {
  const { products } = incidence
  const pairs = commonPairs(incidence)
  const collector = createWeightCollector(products)
  const best = createBest(Math.min(sourcesMax, products))
  const placeOf = new Int32Array(products).fill(-1)
  for (let target = 0; target < products; target++) {
    const { others, counts } = pairs[target]!
    others.forEach((other, at) => {
      const cosine = Math.fround(counts[at]! / Math.sqrt(sizeOf(incidence, target) * sizeOf(incidence, other)))
      if (cosine >= best.least()) best.add(cosine, other)
    })
    const sources: number[] = []
    best.take((_, __, source) => sources.push(source))
    const weights = weightsOf(target, sources)
    sources.forEach((source, at) => collector.add(source, target, weights[at]!))
  }
  return collector.rows()

  function weightsOf(target: number, sources: readonly number[]): Float64Array {
    const size = sources.length
    const gram = new Float64Array(size * size)
    sources.forEach((source, at) => (placeOf[source] = at))
    sources.forEach((source, row) => {
      const { others, counts } = pairs[source]!
      others.forEach((other, at) => {
        if (placeOf[other]! >= 0) gram[row * size + placeOf[other]!] = counts[at]!
      })
      gram[row * size + row] = sizeOf(incidence, source) + lambda
    })
    const side = new Float64Array(size)
    const { others, counts } = pairs[target]!
    others.forEach((other, at) => {
      if (placeOf[other]! >= 0) side[placeOf[other]!] = counts[at]!
    })
    for (const source of sources) placeOf[source] = -1
    factorize(gram, size)
    solve(gram, size, side)
    return side
  }
}

/** Whether more pairs of products have a shopper in common than a model of a large catalogue can hold. */
export function isTooDense(incidence: Incidence): boolean {
  if (incidence.products <= INVERSE_PRODUCTS_MAX) return false
  const common = createCommonShoppers(incidence)
  let total = 0
  for (let product = 0; product < incidence.products; product++) {
    total += common.count(product)
    if (total > COMMON_PAIRS_MAX) return true
  }
  return false
}

interface CommonPairs {
  others: Int32Array
  counts: Float32Array
}

function commonPairs(incidence: Incidence): CommonPairs[] {
  const common = createCommonShoppers(incidence)
  let total = 0
  return Array.from({ length: incidence.products }, (_, product) => {
    const others = common.touched.slice(0, common.count(product))
    total += others.length
    if (total > COMMON_PAIRS_MAX) {
      throw new RangeError(
        `ridge is for small catalogues: more than ${COMMON_PAIRS_MAX.toLocaleString('en')} pairs of products have a shopper in common`,
      )
    }
    return { others, counts: Float32Array.from(others, (other) => common.counts[other]!) }
  })
}
