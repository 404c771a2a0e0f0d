import type { ScoreRow, ScoreRows } from '../../ranking/recommend/score.ts'
import type { Queryable } from '../database/connection.ts'
import { productPages, type SimilarityRow, type VersionInForce, versionInForce } from './rows.ts'
import { createVersionRows, VersionGoneError, type VersionRows } from './version-rows.ts'

/** A version as one answer uses it. */
export interface ServedVersion extends VersionInForce {
  /** The ids of its products, in the order of their numbers. */
  ids: readonly string[]
  /** How many baskets of each product count, by its number. */
  baskets: Int32Array
  /** The number of a product; undefined for a product that the version does not have. */
  numberOf: (productId: string) => number | undefined
  /** The whole rows of these products, for the functions of src/ranking/recommend. `row` is undefined for any other product. */
  rows: (productNos: readonly number[]) => Promise<ScoreRows<SimilarityRow>>
  /** What scores are made of: a third of the rows. */
  scoreRows: (productNos: readonly number[]) => Promise<ScoreRows>
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
const ATTEMPTS_MAX = 3

interface Loaded extends VersionInForce {
  ids: readonly string[]
  baskets: Int32Array
  numbers: ReadonlyMap<string, number>
  rows: VersionRows
}

export function createServedVersions({ db, bytesMax, pollMs = POLL_MS }: ServedVersionsOptions): ServedVersions {
  const current = createCurrent(db, bytesMax, pollMs)
  return {
    withVersion: async (use) => {
      for (let attempt = 1; ; attempt++) {
        const loaded = await current(attempt > 1)
        try {
          return await use(loaded && serve(loaded))
        } catch (error) {
          if (!(error instanceof VersionGoneError) || attempt === ATTEMPTS_MAX) throw error
        }
      }
    },
  }
}

function serve({ numbers, rows: { whole, scores }, ...version }: Loaded): ServedVersion {
  const { contentWeight } = version
  const fetched = <Row extends ScoreRow>(rows: ReadonlyMap<number, Row>): ScoreRows<Row> => ({
    contentWeight,
    row: (productNo) => rows.get(productNo),
  })
  return {
    ...version,
    numberOf: (productId) => numbers.get(productId),
    rows: async (productNos) => fetched(await whole(productNos)),
    scoreRows: async (productNos) => fetched(await scores(productNos)),
  }
}

/**
 * The version in force, which one statement a second finds out for all callers. While the ids of a new version are loaded, the one before is
 * served, because it is kept; the first caller after a quiet time waits for them. While the database does not answer, the last known version is served.
 */
function createCurrent(db: Queryable, bytesMax: number, pollMs: number): (isGone: boolean) => Promise<Loaded | undefined> {
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
    loaded = { ...version, ids, baskets, numbers, rows: createVersionRows(db, version.version, version.products, bytesMax) }
  }
  const look = async () => {
    const startedMs = performance.now()
    const inForce = await versionInForce(db)
    polledMs = startedMs
    return inForce
  }
  const refresh = async (waits: boolean): Promise<void> => {
    const inForce = await (poll ??= look().finally(() => (poll = undefined)))
    if (inForce === undefined) loaded = undefined
    else if (inForce.version !== loaded?.version) {
      loading ??= load(inForce).finally(() => (loading = undefined))
      if (loaded === undefined || waits) await loading
      else loading.catch(() => undefined)
    }
  }
  return async (isGone) => {
    const ageMs = performance.now() - polledMs
    if (!isGone && ageMs < pollMs / 2) return loaded
    // In time, callers need not wait for it. After a quiet time the version before may be out of force for long.
    const waits = isGone || ageMs >= pollMs
    const refreshed = refresh(waits).catch((error: unknown) => {
      if (loaded === undefined || isGone) throw error
      polledMs = performance.now()
    })
    if (waits) await refreshed
    return loaded
  }
}
