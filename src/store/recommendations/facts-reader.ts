import type { ProductFacts } from '../../ranking/recommend/facts.ts'
import type { Queryable } from '../database/connection.ts'
import { gathered } from '../database/gathered.ts'
import { changedFacts, NOT_READ, type VersionedFacts } from './product-facts.ts'

/** Reads facts of products. */
export interface FactsReader {
  /**
   * What is known of these products now, for those that the catalog or the log has. As long as that did not change, it is the same object as
   * what was known when it was read last.
   */
  read: (productIds: readonly string[]) => Promise<ReadonlyMap<string, ProductFacts>>
  /**
   * What was known when they were read last of the products of a list, by their places in it; undefined when that is not kept, or older than
   * counts may be. The list must not change: the places are kept with it, because to look up each id takes five times as long.
   */
  lastByPlace: (ids: readonly string[]) => (place: number) => LastFacts | undefined
}

export interface FactsReaderOptions {
  /** For what all callers share. */
  db: Queryable
  /** How old counts may be. With 0 nothing is kept. */
  countsMs: number
}

/** What was known when it was read last: nothing of a product that neither the catalog nor the log has. */
export interface LastFacts {
  facts: ProductFacts | undefined
}

/** Of a product one and the same object, which each read changes, until it is dropped. */
interface Kept extends VersionedFacts {
  /** -Infinity when it was dropped. */
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

  /** For each list of ids, the kept facts of its places that were asked for. */
  const byPlace = new WeakMap<readonly string[], (Kept | undefined)[]>()
  const isFresh = ({ readMs }: Kept, nowMs: number) => nowMs - readMs < countsMs

  const keep = (productId: string, read: VersionedFacts, readMs: number) => {
    const entry = Object.assign(kept.get(productId) ?? { ...read, readMs }, read, { readMs })
    kept.delete(productId)
    kept.set(productId, entry)
    if (kept.size <= KEPT_MAX) return
    const [oldest, dropped] = kept.entries().next().value!
    // Lists that it was asked for by may hold it.
    Object.assign(dropped, NOTHING_KEPT)
    kept.delete(oldest)
  }

  const read = gathered(async (productIds: readonly string[]) => {
    const readMs = performance.now()
    const facts = new Map<string, ProductFacts>()
    const versions = productIds.map((productId) => {
      const last = kept.get(productId)
      if (last === undefined || !isFresh(last, readMs)) return NOT_READ
      if (last.facts !== undefined) facts.set(productId, last.facts)
      return last.rowVersion
    })
    for (const [productId, now] of await changedFacts(db, productIds, versions)) {
      if (now.facts === undefined) facts.delete(productId)
      else facts.set(productId, now.facts)
      if (countsMs > 0) keep(productId, now, readMs)
    }
    return facts
  }, PRODUCTS_MAX)

  return {
    read: async (productIds) => (productIds.length === 0 ? NO_PRODUCTS : read(productIds)),
    lastByPlace: (ids) => {
      const found = byPlace.get(ids) ?? []
      byPlace.set(ids, found)
      const nowMs = performance.now()
      return (place) => {
        const last = found[place]
        if (last !== undefined && isFresh(last, nowMs)) return last
        const now = kept.get(ids[place]!)
        found[place] = now
        return now !== undefined && isFresh(now, nowMs) ? now : undefined
      }
    },
  }
}

const NOTHING_KEPT: Kept = { facts: undefined, rowVersion: null, readMs: -Infinity }
const NO_PRODUCTS: ReadonlyMap<string, ProductFacts> = new Map()
