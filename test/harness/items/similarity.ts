import { randomUUID } from 'node:crypto'
import type { Database } from '../../../src/store/database/connection.ts'
import type { LogSnapshot } from '../../../src/store/similarity/log-snapshot.ts'
import { productPages } from '../../../src/store/similarity/rows.ts'
import type { ReadEvents } from '../../../src/store/similarity/read-log.ts'
import { beginSimilarityRun, completeSimilarityRun, requestSimilarityRun } from '../../../src/store/similarity/run-machine.ts'
import { beginVersion, finishVersion, type VersionChunk, writeChunk } from '../../../src/store/similarity/version-write.ts'
import type { RowLists } from '../../../src/ranking/similarity/row-chunk.ts'

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

/** The ids of a version's products, in the order of their numbers. */
export async function productIdsOf(db: Database, version: number, products: number): Promise<string[]> {
  const ids: string[] = []
  for await (const page of productPages(db, version, products)) ids.push(...page.ids)
  return ids
}

/** Lists of rows, one after the other. */
export function listsOf(lists: readonly (readonly number[])[]): RowLists {
  let end = 0
  return { ends: Int32Array.from(lists, (list) => (end += list.length)), numbers: Int32Array.from(lists.flat()) }
}

/** Rows without neighbours, with other lists where given. */
export function chunkOf(ids: readonly string[], changes: Partial<VersionChunk> = {}): VersionChunk {
  const empty = listsOf(ids.map(() => []))
  const [none, noScores] = [new Int32Array(0), new Float32Array(0)]
  return {
    ...{ first: 0, rows: ids.length, ids, categories: ids.map(() => null), brands: ids.map(() => null) },
    ...{ events: new Int32Array(ids.length).fill(1), baskets: new Int32Array(ids.length) },
    neighbours: { ...empty, scores: noScores, counts: none, backScores: noScores, backCounts: none },
    content: { ...empty, cosines: noScores },
    bought: { ...empty, counts: none },
    ...changes,
  }
}

/**
 * A version that is written and not in force. Each product has the next one as neighbour, with the number of the version as count, so that a
 * reader sees which version a row is of.
 */
export async function filledVersion(db: Database, products: number, runId?: string) {
  const id = runId ?? (await beginRunOf(db))
  const version = await beginVersion(db, id, EMPTY_SNAPSHOT, { contentFactor: 0.5 })
  const ids = Array.from({ length: products }, (_, n) => `p${String(n).padStart(6, '0')}`)
  const lists = listsOf(ids.map((_, n) => [(n + 1) % products]))
  const [scores, counts] = [new Float32Array(products).fill(version), new Int32Array(products).fill(version)]
  const neighbours = { ...lists, scores, counts, backScores: scores, backCounts: counts }
  await writeChunk(db, version, chunkOf(ids, { neighbours }))
  await finishVersion(db, version, { products, shoppers: 1, events: 1, pairs: products, bots: 0, contentWeight: 0.5 * version })
  return { runId: id, version }
}

/** The same, in force. */
export async function madeVersion(db: Database, products: number) {
  const made = await filledVersion(db, products)
  await completeSimilarityRun(db, made.runId, made.version)
  return made
}
