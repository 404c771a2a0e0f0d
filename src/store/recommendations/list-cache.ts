import type { Queryable } from '../database/connection.ts'
import { type ListFilters, newerProducts, popularAmong, readSharedLists, type SharedLists } from './shared-lists.ts'

/** Lists of products that several shoppers get, from reads that they share. */
export interface ListCache {
  shared: () => Promise<SharedLists>
  /** Popular products under filters. */
  popularAmong: (filters: ListFilters) => Promise<readonly string[]>
  /** Products that are newer than a version. */
  newer: (version: number) => Promise<readonly string[]>
}

export interface ListCacheOptions {
  db: Queryable
  /** How old the lists may be; 0 reads them each time. */
  cacheMs: number
}

/** A list of a large category costs a sort of the category, so it is kept for ten times as long. */
const FILTERED_TIMES = 10
/** It costs a scan of the catalog. */
const NEWER_TIMES = 60
/** Lists with filters. One of the longest ids is some 40 KB. */
const FILTERED_MAX = 200

export function createListCache({ db, cacheMs }: ListCacheOptions): ListCache {
  const shared = keep(() => readSharedLists(db), cacheMs)
  const filtered = new Map<string, () => Promise<readonly string[]>>()
  let newer: { version: number; read: () => Promise<readonly string[]> } | undefined
  return {
    shared,
    popularAmong: (filters) => {
      const key = keyOf(filters)
      const kept = filtered.get(key) ?? keep(() => popularAmong(db, filters), FILTERED_TIMES * cacheMs)
      // A Map keeps the order in which entries were added, so the first one was not used for the longest time.
      filtered.delete(key)
      filtered.set(key, kept)
      if (filtered.size > FILTERED_MAX) filtered.delete(filtered.keys().next().value!)
      return kept()
    },
    newer: (version) => {
      if (newer?.version !== version) newer = { version, read: keep(() => newerProducts(db, version), NEWER_TIMES * cacheMs) }
      return newer.read()
    },
  }
}

function keyOf({ categoryIds, brands, sellerIds, priceMin, priceMax, currency }: ListFilters): string {
  const names = [categoryIds, brands, sellerIds].map((ids) => ids && [...ids].sort())
  return JSON.stringify([names, priceMin, priceMax, currency])
}

/**
 * Keeps what is read for so long. It is read again in the background when it is half as old, so that only the first caller and the first
 * one after a pause wait. Callers that wait share one read.
 */
function keep<T>(read: () => Promise<T>, keepMs: number): () => Promise<T> {
  let kept: { value: T; readMs: number } | undefined
  let running: Promise<T> | undefined
  const begin = (): Promise<T> => {
    const readMs = performance.now()
    running = read()
      .then((value) => {
        kept = { value, readMs }
        return value
      })
      .finally(() => (running = undefined))
    return running
  }
  return async () => {
    if (keepMs === 0) return read()
    const ageMs = kept === undefined ? Infinity : performance.now() - kept.readMs
    if (kept === undefined || ageMs >= keepMs) return running ?? begin()
    if (ageMs >= keepMs / 2 && running === undefined) begin().catch(() => undefined)
    return kept.value
  }
}
