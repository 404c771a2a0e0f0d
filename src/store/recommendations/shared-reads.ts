import type { RuleSettings } from '../../ranking/recommend/rules.ts'
import { createProductReader } from '../catalog/listed-product.ts'
import type { Queryable } from '../database/connection.ts'
import { createFactsReader } from './facts-reader.ts'
import { createPageCache } from './page-cache.ts'
import { createListCache } from './list-cache.ts'
import { createShopperReader } from './read-shopper.ts'
import type { RecommenderOptions } from './recommender.ts'

export interface SharedReadsOptions {
  /** For what all callers share. */
  db: Queryable
  /** How old popular lists may be; with 0 nothing is kept. */
  cacheMs: number
  rules: Pick<RuleSettings, 'orderedDays'>
}

/** Counts of single products change less from one second to the next than the heads of lists. */
const COUNTS_TIMES = 60
/** A personal page stands on counts that may be as old, and its products are checked for each answer. */
const PERSONAL_TIMES = 60

/** The reads that the recommendations of a process share. */
export function sharedReads(
  options: SharedReadsOptions,
): Pick<RecommenderOptions, 'lists' | 'facts' | 'shoppers' | 'pages' | 'products'> {
  const { db, cacheMs, rules } = options
  const facts = createFactsReader({ db, countsMs: COUNTS_TIMES * cacheMs })
  return {
    facts,
    lists: createListCache({ db, cacheMs }),
    pages: createPageCache({ facts, keepMs: { personal: PERSONAL_TIMES * cacheMs, popular: cacheMs } }),
    shoppers: createShopperReader({ db, orderedDays: rules.orderedDays }),
    products: createProductReader(db),
  }
}
