import type { Queryable } from '../database/connection.ts'
import { createFactsReader, type FactsReader } from './facts-reader.ts'
import { createListCache, type ListCache } from './list-cache.ts'

/** Counts of single products change less from one second to the next than the heads of lists. */
const COUNTS_TIMES = 10

/** What the recommendations of a process share. @param cacheMs  how old popular lists may be; with 0 nothing is kept */
export function recommendCaches(db: Queryable, cacheMs: number): { lists: ListCache; facts: FactsReader } {
  return { lists: createListCache({ db, cacheMs }), facts: createFactsReader(COUNTS_TIMES * cacheMs) }
}
