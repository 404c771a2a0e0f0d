import { createBest } from '../similarity/best.ts'
import type { SimilarityRows } from '../recommend/score.ts'
import { createCommonShoppers, type Incidence, sizeOf } from './incidence.ts'
import { createWeightCollector } from './weights.ts'

/** The neighbours of the published figures on MovieLens-100k. */
export const JACCARD_NEIGHBOURS = 161

/**
 * The item-based nearest neighbours that are a usual baseline: |A ∩ B| / |A ∪ B| of the shoppers of two products, without shrinkage. A
 * target is scored by the products of the history that are among its own nearest neighbours, as M. Ferrari Dacrema et al., A troubling
 * analysis of reproducibility and progress in recommender systems research, ACM TOIS 39(2), 2021, do.
 */
export function jaccardRows(incidence: Incidence, neighboursMax = JACCARD_NEIGHBOURS): SimilarityRows {
  const common = createCommonShoppers(incidence)
  const collector = createWeightCollector(incidence.products)
  const best = createBest(neighboursMax)
  for (let target = 0; target < incidence.products; target++) {
    const count = common.count(target)
    for (let at = 0; at < count; at++) {
      const other = common.touched[at]!
      const both = common.counts[other]!
      const jaccard = Math.fround(both / (sizeOf(incidence, target) + sizeOf(incidence, other) - both))
      if (jaccard >= best.least()) best.add(jaccard, other)
    }
    best.take((_, jaccard, source) => collector.add(source, target, jaccard))
  }
  return collector.rows()
}
