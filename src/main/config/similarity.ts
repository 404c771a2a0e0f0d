import { availableParallelism } from 'node:os'
import type { SimilarityDeps } from '../../../services/handler/deps.ts'
import { VERSION_DEFAULTS, type VersionSettings } from '../../ranking/similarity/version-settings.ts'
import { startSimilarityJob } from '../../workers/similarity-job.ts'
import { settingsIn, type SettingsOf, wholeNumber } from './setting.ts'

const {
  shopperEventsMax,
  productEventsMax,
  window,
  neighboursMax,
  botEventsPerDay,
  eventsMax,
  productsMax,
  basketProductsMax,
  boughtMax,
} = VERSION_DEFAULTS

export const similaritySettings = settingsIn('Similar products', {
  SIMILARITY_HOURS: wholeNumber(0, 8_760)
    .default(24)
    .describe(
      'How often similar products are computed again; 0 computes them on demand alone. The first time is when the log has 1,000 interactions.',
    )
    .meta({ unit: 'h' }),
  SIMILARITY_THREADS: wholeNumber(1, 64)
    .optional()
    .describe(
      'Threads that count, in a process of the endpoint. Half of its processors when absent. The numbers do not depend on it.',
    )
    .meta({ unit: 'threads' }),
  SIMILARITY_EVENTS_MAX: wholeNumber(1_000, 1_000_000_000)
    .default(eventsMax)
    .describe('Interactions that are read, the newest. Each takes up to 20 bytes of memory while a version is made.')
    .meta({ unit: 'events' }),
  SIMILARITY_PRODUCTS_MAX: wholeNumber(100, 1_000_000)
    .default(productsMax)
    .describe(
      'Products of a version: those with the newest interactions, then those of the catalog. Each takes about 2.5 KB of memory while a version is made, and 3.5 KB in PostgreSQL for each of two versions.',
    )
    .meta({ unit: 'products' }),
  SIMILARITY_SHOPPER_EVENTS_MAX: wholeNumber(2, 10_000)
    .default(shopperEventsMax)
    .describe('Interactions of a shopper that count, the newest; repeats in a row are one.')
    .meta({ unit: 'events' }),
  SIMILARITY_PRODUCT_EVENTS_MAX: wholeNumber(10, 100_000)
    .default(productEventsMax)
    .describe('Interactions of a product from which pairs are counted, the newest, and baskets with it.')
    .meta({ unit: 'events' }),
  SIMILARITY_WINDOW: wholeNumber(1, 1_000)
    .default(window)
    .describe('How many interactions of a shopper two products may be apart to be a pair.')
    .meta({ unit: 'events' }),
  SIMILARITY_NEIGHBOURS_MAX: wholeNumber(1, 250)
    .default(neighboursMax)
    .describe('Similar products that are kept for each product.')
    .meta({ unit: 'products' }),
  SIMILARITY_BOT_EVENTS_PER_DAY: wholeNumber(10, 1_000_000)
    .default(botEventsPerDay)
    .describe('A shopper with more interactions on a day of UTC is left out.')
    .meta({ unit: 'events' }),
  SIMILARITY_BASKET_PRODUCTS_MAX: wholeNumber(2, 1_000)
    .default(basketProductsMax)
    .describe('Products of an order or session that count as bought together, the newest.')
    .meta({ unit: 'products' }),
  SIMILARITY_BOUGHT_MAX: wholeNumber(1, 100)
    .default(boughtMax)
    .describe('Products that are kept for each product as bought together.')
    .meta({ unit: 'products' }),
  SIMILARITY_MIB_MAX: wholeNumber(1, 65_536)
    .default(128)
    .describe(
      'What rows of similar products take in the memory of each gateway and of each process of the endpoint; those used last are kept. The ids of the products take about 150 bytes each in addition.',
    )
    .meta({ unit: 'MiB' }),
})

const MEBIBYTE = 1024 * 1024

/** What rows of similar products may take in the memory of a process. */
export function similarityBytesMaxOf(config: Pick<SettingsOf<typeof similaritySettings>, 'SIMILARITY_MIB_MAX'>): number {
  return config.SIMILARITY_MIB_MAX * MEBIBYTE
}

export function similarityOf(config: SettingsOf<typeof similaritySettings>): SimilarityDeps {
  const threads = config.SIMILARITY_THREADS ?? Math.max(1, availableParallelism() >> 1)
  return {
    everyHours: config.SIMILARITY_HOURS,
    bytesMax: similarityBytesMaxOf(config),
    startJob: (settings) => startSimilarityJob(settings, threads),
    settings: versionBoundsOf(config),
  }
}

/** How versions are made, with the default ranking settings. */
export function versionBoundsOf(config: SettingsOf<typeof similaritySettings>): VersionSettings {
  return {
    ...VERSION_DEFAULTS,
    eventsMax: config.SIMILARITY_EVENTS_MAX,
    productsMax: config.SIMILARITY_PRODUCTS_MAX,
    shopperEventsMax: config.SIMILARITY_SHOPPER_EVENTS_MAX,
    productEventsMax: config.SIMILARITY_PRODUCT_EVENTS_MAX,
    window: config.SIMILARITY_WINDOW,
    neighboursMax: config.SIMILARITY_NEIGHBOURS_MAX,
    botEventsPerDay: config.SIMILARITY_BOT_EVENTS_PER_DAY,
    basketProductsMax: config.SIMILARITY_BASKET_PRODUCTS_MAX,
    boughtMax: config.SIMILARITY_BOUGHT_MAX,
  }
}
