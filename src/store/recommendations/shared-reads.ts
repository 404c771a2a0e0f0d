import type { RuleSettings } from '../../ranking/recommend/rules.ts'
import type { Queryable } from '../database/connection.ts'
import { createFactsReader } from './facts-reader.ts'
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

/** The reads that the recommendations of a process share. */
export function sharedReads(options: SharedReadsOptions): Pick<RecommenderOptions, 'lists' | 'facts' | 'shoppers'> {
  const { db, cacheMs, rules } = options
  return {
    lists: createListCache({ db, cacheMs }),
    facts: createFactsReader({ db, countsMs: COUNTS_TIMES * cacheMs }),
    shoppers: createShopperReader({ db, orderedDays: rules.orderedDays }),
  }
}
