import type { SimilarityRows } from '../../ranking/recommend/score.ts'
import type { Queryable } from '../database/connection.ts'
import { type Gathered, gathered } from '../database/gathered.ts'
import { type ByteCache, keyParts, productKey } from './byte-cache.ts'
import { createRowCache } from './row-cache.ts'
import { productPages, rowsOf, type SimilarityRow, type VersionInForce, versionInForce } from './rows.ts'

/** A version as one answer uses it. */
export interface ServedVersion extends VersionInForce {
  /** The ids of its products, in the order of their numbers. */
  ids: readonly string[]
  /** How many baskets of each product count, by its number. */
  baskets: Int32Array
  /** The number of a product; undefined for a product that the version does not have. */
  numberOf: (productId: string) => number | undefined
  /**
   * The rows of these products, for the functions of src/ranking/recommend. Those that are not kept are read in one statement, which they share
   * with other callers of the moment.
   */
  rows: (productNos: readonly number[]) => Promise<FetchedRows>
}

/** Rows that were fetched; `row` is undefined for any other product. */
export interface FetchedRows extends SimilarityRows {
  row: (productNo: number) => SimilarityRow | undefined
}

/** The version in force, for processes that answer. */
export interface ServedVersions {
  /**
   * Calls `use` with the version in force, or with undefined before the first one; all that it reads is of this one version. When the version
   * is deleted in the meantime, `use` is called again with a newer one.
   */
  withVersion: <T>(use: (version: ServedVersion | undefined) => Promise<T>) => Promise<T>
}

export interface ServedVersionsOptions {
  /** Reads a few rows at a time for all callers. */
  db: Queryable
  /** What the rows may take in memory. The ids take about 150 bytes for each product more. */
  bytesMax: number
  /** How old the knowledge of which version is in force may be. */
  pollMs?: number
}

const POLL_MS = 1_000
/** About 400 KB of a statement's answer. */
const ROWS_AT_ONCE = 60
const ATTEMPTS_MAX = 3

interface Loaded extends VersionInForce {
  ids: readonly string[]
  baskets: Int32Array
  numbers: ReadonlyMap<string, number>
}

/** Thrown when rows are missing: the version was deleted. */
class VersionGoneError extends Error {}

export function createServedVersions({ db, bytesMax, pollMs = POLL_MS }: ServedVersionsOptions): ServedVersions {
  const cache = createRowCache(bytesMax)
  const current = createCurrent(db, pollMs)
  const read = gathered((keys: readonly number[]) => readRows(db, keys), ROWS_AT_ONCE)
  const rowsOfVersion = fetchedRows(cache, read)
  return {
    withVersion: async (use) => {
      for (let attempt = 1; ; attempt++) {
        const loaded = await current(attempt > 1)
        try {
          return await use(loaded && serve(loaded, rowsOfVersion))
        } catch (error) {
          if (!(error instanceof VersionGoneError) || attempt === ATTEMPTS_MAX) throw error
        }
      }
    },
  }
}

function serve(loaded: Loaded, rowsOfVersion: RowsOfVersion): ServedVersion {
  const { numbers, ...version } = loaded
  return {
    ...version,
    numberOf: (productId) => numbers.get(productId),
    rows: async (productNos) => {
      const rows = await rowsOfVersion(version.version, productNos)
      return { contentWeight: version.contentWeight, row: (productNo) => rows.get(productNo) }
    },
  }
}

type RowsOfVersion = (version: number, productNos: readonly number[]) => Promise<ReadonlyMap<number, SimilarityRow>>

/** Takes rows from memory, and reads the others. @throws VersionGoneError */
function fetchedRows(cache: ByteCache<SimilarityRow>, read: Gathered<number, SimilarityRow>): RowsOfVersion {
  return async (version, productNos) => {
    const rows = new Map<number, SimilarityRow>()
    const missing: number[] = []
    for (const productNo of new Set(productNos)) {
      const kept = cache.get(productKey(version, productNo))
      if (kept === undefined) missing.push(productKey(version, productNo))
      else rows.set(productNo, kept)
    }
    if (missing.length === 0) return rows
    const found = await read(missing)
    for (const key of missing) {
      const row = found.get(key)
      // Every product of a version has a row.
      if (row === undefined) throw new VersionGoneError(`version ${version} was deleted`)
      cache.add(key, row)
      rows.set(row.productNo, row)
    }
    return rows
  }
}

/** Of several versions, while one replaces another. */
async function readRows(db: Queryable, keys: readonly number[]): Promise<Map<number, SimilarityRow>> {
  const byVersion = Map.groupBy(keys.map(keyParts), ({ version }) => version)
  const rows = new Map<number, SimilarityRow>()
  for (const [version, parts] of byVersion) {
    for (const row of await rowsOf(
      db,
      version,
      parts.map(({ productNo }) => productNo),
    ))
      rows.set(productKey(version, row.productNo), row)
  }
  return rows
}

/**
 * The version in force, which one statement a second finds out for all callers. While the ids of a new version are loaded, the one before is
 * served, because it is kept. While the database does not answer, the last known version is served.
 */
function createCurrent(db: Queryable, pollMs: number): (isGone: boolean) => Promise<Loaded | undefined> {
  let loaded: Loaded | undefined
  let polledMs = -Infinity
  let poll: Promise<VersionInForce | undefined> | undefined
  let loading: Promise<void> | undefined

  const load = async (version: VersionInForce) => {
    const ids: string[] = []
    const baskets = new Int32Array(version.products)
    const numbers = new Map<string, number>()
    for await (const page of productPages(db, version.version, version.products)) {
      baskets.set(page.baskets, ids.length)
      for (const id of page.ids) numbers.set(id, ids.push(id) - 1)
    }
    loaded = { ...version, ids, baskets, numbers }
  }
  const look = async () => {
    const startedMs = performance.now()
    const inForce = await versionInForce(db)
    polledMs = startedMs
    return inForce
  }
  const refresh = async (isGone: boolean): Promise<void> => {
    const inForce = await (poll ??= look().finally(() => (poll = undefined)))
    if (inForce === undefined) loaded = undefined
    else if (inForce.version !== loaded?.version) {
      loading ??= load(inForce).finally(() => (loading = undefined))
      if (loaded === undefined || isGone) await loading
      else loading.catch(() => undefined)
    }
  }
  return async (isGone) => {
    const ageMs = performance.now() - polledMs
    if (!isGone && ageMs < pollMs / 2) return loaded
    const refreshed = refresh(isGone).catch((error: unknown) => {
      if (loaded === undefined || isGone) throw error
      polledMs = performance.now()
    })
    // In time, callers need not wait for it.
    if (isGone || ageMs >= pollMs) await refreshed
    else refreshed.catch(() => undefined)
    return loaded
  }
}
