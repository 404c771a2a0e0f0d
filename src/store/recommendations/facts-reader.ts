import type { ProductFacts } from '../../ranking/recommend/facts.ts'
import type { Queryable } from '../database/connection.ts'
import { changedFacts, NOT_READ, type VersionedFacts } from './product-facts.ts'

/** Reads facts of products. */
export interface FactsReader {
  /** Adds what is known of these products now. @param newer  products that are newer than the similarities */
  add: (
    db: Queryable,
    facts: Map<string, ProductFacts>,
    productIds: readonly string[],
    newer: ReadonlySet<string>,
  ) => Promise<void>
  /** What was known of a product when it was read last, if that is kept. */
  lastOf: (productId: string) => ProductFacts | undefined
}

interface Kept extends VersionedFacts {
  readMs: number
}

/** One takes some 400 bytes. */
const KEPT_MAX = 100_000

/**
 * Reads facts always from PostgreSQL. Of a product whose row in the catalog did not change, the kept facts are used: what the catalog says
 * is as of now, and counts are at most `countsMs` old. With 0 nothing is kept.
 */
export function createFactsReader(countsMs: number): FactsReader {
  // A Map keeps the order in which entries were added, so the first one was read before all others.
  const kept = new Map<string, Kept>()

  const keep = (productId: string, read: Kept) => {
    kept.delete(productId)
    kept.set(productId, read)
    if (kept.size > KEPT_MAX) kept.delete(kept.keys().next().value!)
  }

  return {
    add: async (db, facts, productIds, newer) => {
      if (productIds.length === 0) return
      const readMs = performance.now()
      const known = productIds.map((productId) => {
        const read = kept.get(productId)
        return read !== undefined && readMs - read.readMs < countsMs ? read : undefined
      })
      const versions = known.map((read) => (read === undefined ? NOT_READ : read.rowVersion))
      const changed = await changedFacts(db, productIds, versions)
      productIds.forEach((productId, at) => {
        const read = changed.get(productId)
        if (read !== undefined && countsMs > 0) keep(productId, { ...read, readMs })
        const now = (read ?? known[at])?.facts
        if (now !== undefined) facts.set(productId, newer.has(productId) ? { ...now, isNew: true } : now)
      })
    },
    lastOf: (productId) => kept.get(productId)?.facts,
  }
}

/** Adds facts without keeping any. */
export const addFacts: FactsReader['add'] = createFactsReader(0).add
