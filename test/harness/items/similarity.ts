import { randomUUID } from 'node:crypto'
import type { Database } from '../../../src/store/database/connection.ts'
import type { LogSnapshot } from '../../../src/store/similarity/log-snapshot.ts'
import type { ReadEvents } from '../../../src/store/similarity/read-log.ts'
import { beginSimilarityRun, completeSimilarityRun, requestSimilarityRun } from '../../../src/store/similarity/run-machine.ts'
import {
  beginVersion,
  finishVersion,
  type RowLists,
  writeProducts,
  writeRows,
} from '../../../src/store/similarity/version-write.ts'

export const EMPTY_SNAPSHOT: LogSnapshot & Pick<ReadEvents, 'oldest'> = {
  oldest: undefined,
  readAt: new Date(0),
  horizon: new Date(0),
  batchTo: '0',
  batchesMissing: [],
  merges: '0',
  mergesTo: null,
  eventTypes: ['view'],
}

/** A run that is running. */
export async function beginRunOf(db: Database): Promise<string> {
  const runId = randomUUID()
  await requestSimilarityRun(db, runId, { kind: 'requested', actor: 'ada' })
  await beginSimilarityRun(db, runId)
  return runId
}

/** Lists of rows, with the values of all of them one after the other. */
export function listsOf(lists: readonly (readonly number[])[], values: readonly number[]): RowLists {
  let end = 0
  return { ends: Int32Array.from(lists, (list) => (end += list.length)), numbers: Int32Array.from(lists.flat()), values }
}

/**
 * A version that is written and not in force. Every row has the other products as neighbours, with the number of the version as count,
 * so that a reader sees which version a row is of.
 */
export async function filledVersion(db: Database, products: number, runId?: string) {
  const id = runId ?? (await beginRunOf(db))
  const version = await beginVersion(db, id, EMPTY_SNAPSHOT, {})
  const ids = Array.from({ length: products }, (_, n) => `p${String(n).padStart(6, '0')}`)
  const none = ids.map(() => null)
  await writeProducts(db, version, {
    first: 0,
    ids,
    categories: none,
    brands: none,
    events: ids.map(() => 1),
    baskets: ids.map(() => 0),
  })
  const lists = listsOf(
    ids.map((_, n) => [(n + 1) % products]),
    ids.map(() => version),
  )
  const empty = listsOf(
    ids.map(() => []),
    [],
  )
  const neighbours = { ...lists, counts: ids.map(() => version) }
  await writeRows(db, version, { first: 0, rows: products, neighbours, content: empty, bought: empty })
  const totals = { products, shoppers: 1, events: 1, pairs: products, bots: 0, contentWeight: 0.5 }
  await finishVersion(db, version, totals)
  return { runId: id, version }
}

/** The same, in force. */
export async function madeVersion(db: Database, products: number) {
  const made = await filledVersion(db, products)
  await completeSimilarityRun(db, made.runId, made.version)
  return made
}
