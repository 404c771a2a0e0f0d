import { RANKING_DEFAULTS, type RankingSettings } from './ranking-settings.ts'
import { SIMILARITY_DEFAULTS, type SimilaritySettings } from './settings.ts'

/** How a shop's version is made from its log. */
export interface VersionSettings extends SimilaritySettings, RankingSettings {
  /** The number of the ranking settings; 0 for the defaults. */
  settingsVersion: number
  /** The newest events that are read. */
  eventsMax: number
  /** Products with the newest events, then those of the catalog in the order of their ids. A product takes about 2.5 KB while a version is made. */
  productsMax: number
  /** The newest products of a basket that count. */
  basketProductsMax: number
  /** Products that were bought together with each product. */
  boughtMax: number
}

export const VERSION_DEFAULTS: VersionSettings = {
  ...SIMILARITY_DEFAULTS,
  ...RANKING_DEFAULTS,
  settingsVersion: 0,
  eventsMax: 20_000_000,
  productsMax: 200_000,
  basketProductsMax: 50,
  boughtMax: 30,
}

/**
 * The settings by which baskets are counted in the place of shoppers, so that the similarity of two products is the number of baskets with
 * both: all pairs of a basket count alike, and nothing is divided or shrunk.
 */
export function basketSettings({ productEventsMax, basketProductsMax, boughtMax }: VersionSettings): SimilaritySettings {
  return {
    ...SIMILARITY_DEFAULTS,
    ...{ alpha: 0, beta: 0, gamma: 0, rho: 1, kappa: 0 },
    window: basketProductsMax,
    neighboursMax: boughtMax,
    shopperEventsMax: basketProductsMax,
    productEventsMax,
  }
}
