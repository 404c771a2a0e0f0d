import type { ProductFacts } from '../../ranking/recommend/facts.ts'
import type { Queryable } from '../database/connection.ts'
import { gathered } from '../database/gathered.ts'
import { changedFacts, NOT_READ, type VersionedFacts } from './product-facts.ts'

/** Reads facts of products. */
export interface FactsReader {
  /** Adds what is known of these products now. @param newer  products that are newer than the similarities @returns whether it changed any */
  add: (facts: Map<string, ProductFacts>, productIds: readonly string[], newer: ReadonlySet<string>) => Promise<boolean>
  /** Adds what was known of a product when it was read last. @returns false when that is not kept, or older than counts may be */
  addKept: (facts: Map<string, ProductFacts>, productId: string, newer: ReadonlySet<string>) => boolean
}

export interface FactsReaderOptions {
  /** For what all callers share. */
  db: Queryable
  /** How old counts may be. With 0 nothing is kept. */
  countsMs: number
}

interface Kept extends VersionedFacts {
  readMs: number
}

/** One takes some 400 bytes. */
const KEPT_MAX = 100_000
/** Products of a statement, which takes 3 ms for so many. */
const PRODUCTS_MAX = 1_500

/**
 * Reads facts always from PostgreSQL, for all callers of the moment in one statement. Of a product whose row in the catalog did not change,
 * the kept facts are used: what the catalog says is as of now, and counts are at most `countsMs` old.
 */
export function createFactsReader({ db, countsMs }: FactsReaderOptions): FactsReader {
  // A Map keeps the order in which entries were added, so the first one was read before all others.
  const kept = new Map<string, Kept>()

  const keep = (productId: string, read: Kept) => {
    kept.delete(productId)
    kept.set(productId, read)
    if (kept.size > KEPT_MAX) kept.delete(kept.keys().next().value!)
  }

  const read = gathered(async (productIds: readonly string[]) => {
    const readMs = performance.now()
    const facts = new Map<string, ProductFacts>()
    const versions = productIds.map((productId) => {
      const last = kept.get(productId)
      if (last === undefined || readMs - last.readMs >= countsMs) return NOT_READ
      if (last.facts !== undefined) facts.set(productId, last.facts)
      return last.rowVersion
    })
    for (const [productId, now] of await changedFacts(db, productIds, versions)) {
      if (now.facts === undefined) facts.delete(productId)
      else facts.set(productId, now.facts)
      if (countsMs > 0) keep(productId, { ...now, readMs })
    }
    return facts
  }, PRODUCTS_MAX)

  return {
    add: async (facts, productIds, newer) => {
      if (productIds.length === 0) return false
      const found = await read(productIds)
      let hasChanged = false
      for (const productId of productIds) {
        const [before, now] = [facts.get(productId), found.get(productId)]
        if (areSame(before, now)) continue
        hasChanged = true
        if (now === undefined) facts.delete(productId)
        else facts.set(productId, newer.has(productId) ? { ...now, isNew: true } : now)
      }
      return hasChanged
    },
    addKept: (facts, productId, newer) => {
      const last = kept.get(productId)
      if (last === undefined || performance.now() - last.readMs >= countsMs) return false
      if (last.facts !== undefined) facts.set(productId, newer.has(productId) ? { ...last.facts, isNew: true } : last.facts)
      return true
    },
  }
}

/** Apart from whether the product is new. */
function areSame(one: ProductFacts | undefined, other: ProductFacts | undefined): boolean {
  if (one === other) return true
  if (one === undefined || other === undefined) return false
  return NAMES.every((name) => one[name] === other[name])
}

const NAMES = [
  ...(['category', 'brand', 'sellerId', 'price', 'currency', 'quantity', 'status', 'trending', 'overall'] as const),
] satisfies (keyof ProductFacts)[]
