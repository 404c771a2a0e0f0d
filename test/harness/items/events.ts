import { randomUUID } from 'node:crypto'
import { normalisedQuery } from '../../../src/contract/search.ts'
import { callOf, type Call } from '../../../src/store/log/call.ts'
import { type BatchRef, type RecordedBatchResult, recordRows, type InsertBatch } from '../../../src/store/log/batch.ts'
import { LOST } from '../../../src/store/log/waiting.ts'
import { countBatch } from '../../../src/store/popularity/counting.ts'
import { SEARCHES } from '../../../src/store/log/search.ts'
import { feedBatch } from '../../../src/store/shoppers/shopper-profile.ts'
import type { Database } from '../../../src/store/database/connection.ts'
import type { NewRejection } from '../../../src/admission/rows.ts'
import { INTERACTIONS } from '../../../src/store/log/interaction.ts'
import type { NewInteraction } from '../../../src/admission/interaction.ts'
import type { NewSearch } from '../../../src/admission/search.ts'

/** A checked interaction of now, with `changes`. */
export function interaction(changes: Partial<NewInteraction> = {}): NewInteraction {
  return {
    index: 0,
    item: { ref_id: changes.refId ?? 'p' },
    eventId: randomUUID(),
    occurredAtMs: Date.now(),
    eventType: 'view',
    refType: 'Product',
    refId: 'p',
    accountId: 'a',
    accountNumber: null,
    sessionId: null,
    ipAddress: null,
    userAgent: null,
    metadata: undefined,
    ...changes,
  }
}

/** Records a new call; `index` follows the order. */
export function record(
  db: Database,
  interactions: readonly NewInteraction[],
  rejections: readonly NewRejection[] = [],
): Promise<RecordedBatchResult> {
  const call = callOf(randomUUID(), Buffer.from(''))
  return recordBatch(
    db,
    call,
    interactions.map((one, index) => ({ ...one, index })),
    rejections,
  )
}

/** Records, counts and feeds a new call. */
export async function recordAndCount(db: Database, interactions: readonly NewInteraction[]): Promise<RecordedBatchResult> {
  const batch = await record(db, interactions)
  await takeAll(countBatch, db, batch)
  await takeAll(feedBatch, db, batch)
  return batch
}

/** Counts or feeds a batch and what waits, as its message does with those in which it goes on. */
export async function takeAll(take: typeof countBatch, db: Database, batch: BatchRef): Promise<void> {
  for (let next: BatchRef | undefined = batch; next !== undefined;) {
    const taken: Awaited<ReturnType<typeof take>> = await take(db, next)
    next = taken === LOST ? undefined : (taken.next ?? (taken.again && next))
  }
}

/** A checked search of now, with `changes`. */
export function search(changes: Partial<Omit<NewSearch, 'normalisedQuery'>> = {}): NewSearch {
  const { query = 'lamp' } = changes
  return {
    index: 0,
    item: { query },
    eventId: randomUUID(),
    occurredAtMs: Date.now(),
    query,
    accountId: 'a',
    sessionId: null,
    productIds: ['p'],
    ...changes,
    normalisedQuery: normalisedQuery(query),
  }
}

/** Records searches as a new call; `index` follows the order. */
export function recordNewSearches(db: Database, searches: readonly NewSearch[]): Promise<RecordedBatchResult> {
  const call = callOf(randomUUID(), Buffer.from(''))
  return recordRows(
    db,
    SEARCHES,
    call,
    searches.map((one, index) => ({ ...one, index })),
    [],
  )
}

/** Records a call's interactions once; see recordRows. */
export function recordBatch(
  db: Database,
  call: Call,
  interactions: readonly NewInteraction[],
  rejections: readonly NewRejection[],
  insert?: InsertBatch<NewInteraction>,
): Promise<RecordedBatchResult> {
  return recordRows(db, INTERACTIONS, call, interactions, rejections, insert)
}
