import { setTimeout as sleep } from 'node:timers/promises'
import { type JudgedRecords, JudgingError, type RejectedRecord } from '../admission/judge-records.ts'
import type { KafkaRecord } from '../admission/kafka-record.ts'
import type { Privacy } from '../admission/privacy.ts'
import { unreadRecord, wholeRecord } from '../admission/whole-record.ts'
import type { Database } from '../store/database/connection.ts'
import { isDataError, mayPass } from '../store/database/sql-state.ts'
import { FencedError } from '../store/kafka/offset.ts'
import { storeRecords, type StoredRecords } from '../store/kafka/record-batch.ts'
import type { BatchBounds } from '../store/log/batch.ts'
import type { Tombstones } from '../store/log/tombstone.ts'
import type { Positions } from './positions.ts'

/** What was stored. `rejected` are the records that break the contract, in whole or in part. */
export interface StoredOutcome extends StoredRecords {
  rejected: ReadonlySet<KafkaRecord>
  seconds: number
}

/** Tells what becomes of batches. */
export interface BatchObserver {
  stored: (records: readonly KafkaRecord[], outcome: StoredOutcome) => void
  /** A batch failed, and waits. `isOutage` is whether PostgreSQL is away, which is waited for without limit. */
  failed: (error: unknown, isOutage: boolean) => void
  /** A record was set aside, because every attempt to store it failed. */
  setAside: (record: KafkaRecord, error: unknown) => void
}

export interface StoreBatchDeps {
  db: Database
  positions: Positions
  /** Checks records in their order, each alone. @throws JudgingError when they are too much to check. */
  judge: (records: readonly KafkaRecord[]) => Promise<JudgedRecords>
  /** What records that are set aside are kept without. */
  privacy: Privacy
  tombstones: Tombstones
  /** Sends a stored batch on to be counted. Does not wait, and does not throw. */
  fanOut: (batch: BatchBounds) => void
  observer: BatchObserver
  retry: RetryPauses
}

export interface RetryPauses {
  firstMs: number
  maxMs: number
  /** How often a batch is tried again before it is halved. */
  retriesMax: number
}

/** 2 s doubling to 60 s, 10 times: six minutes. */
export const RETRY: RetryPauses = { firstMs: 2_000, maxMs: 60_000, retriesMax: 10 }

/**
 * Stores the records of a batch, in their order. An outage of PostgreSQL is waited for without limit. After any other failure the batch is
 * tried again ten times, and then halved until the record at fault is alone; that one is set aside among the rejected events. A batch that
 * PostgreSQL refuses for its data, or that is too much to check, is halved at once. `judged` is the verdict on these records, if there is one
 * already. @throws FencedError, and the reason of the signal.
 */
export async function storeBatch(
  deps: StoreBatchDeps,
  records: readonly KafkaRecord[],
  signal: AbortSignal,
  judged?: JudgedRecords,
): Promise<void> {
  await storeAttempts(deps, records, signal, deps.retry.retriesMax, judged)
}

async function storeAttempts(
  deps: StoreBatchDeps,
  records: readonly KafkaRecord[],
  signal: AbortSignal,
  retriesMax: number,
  judged?: JudgedRecords,
): Promise<void> {
  let refused = 0
  for (let failures = 0; ; failures++) {
    try {
      const isNew = records.filter(deps.positions.isNew)
      const areAllNew = isNew.length === records.length
      if (isNew.length > 0) {
        await storeOnce(deps, isNew, areAllNew && judged ? judged : await deps.judge(isNew))
      }
      return
    } catch (error) {
      if (error instanceof FencedError) throw error
      const isOutage = mayPass(error)
      deps.observer.failed(error, isOutage)
      if (!isOutage) refused++
      const isHalvedAtOnce = isDataError(error) || error instanceof JudgingError
      if (isHalvedAtOnce || refused > retriesMax) return await halve(deps, records, signal, error)
      await pause(deps.retry, failures, signal)
    }
  }
}

async function halve(deps: StoreBatchDeps, records: readonly KafkaRecord[], signal: AbortSignal, error: unknown): Promise<void> {
  if (records.length === 1) return setAside(deps, records[0]!, signal, error)
  const middle = records.length >> 1
  await storeAttempts(deps, records.slice(0, middle), signal, 0)
  await storeAttempts(deps, records.slice(middle), signal, 0)
}

async function setAside(deps: StoreBatchDeps, record: KafkaRecord, signal: AbortSignal, cause: unknown): Promise<void> {
  const message = `cannot be stored: ${cause instanceof Error ? cause.message : String(cause)}`.slice(0, MESSAGE_CHARACTERS_MAX)
  // A NUL in the message of an error would be refused too.
  const rejection = {
    ...asKept(record, deps.privacy, cause),
    of: record,
    index: 0,
    code: 'refused',
    field: null,
    message: message.replaceAll('\0', '').toWellFormed(),
  } as const
  for (let failures = 0; ; failures++) {
    try {
      if (!deps.positions.isNew(record)) return
      await storeOnce(deps, [record], { products: [], runs: [], rejected: [rejection] })
      return deps.observer.setAside(record, cause)
    } catch (error) {
      if (error instanceof FencedError) throw error
      deps.observer.failed(error, mayPass(error))
      await pause(deps.retry, failures, signal)
    }
  }
}

/** What was too much to check is not read here either. */
function asKept(record: KafkaRecord, privacy: Privacy, cause: unknown): Pick<RejectedRecord, 'record' | 'items'> {
  if (record.kind !== 'interaction') return { record }
  return cause instanceof JudgingError ? { record: unreadRecord(record, privacy) } : wholeRecord(record, privacy)
}

const MESSAGE_CHARACTERS_MAX = 1_000

async function storeOnce(
  { db, positions, tombstones, fanOut, observer }: StoreBatchDeps,
  records: readonly KafkaRecord[],
  judged: JudgedRecords,
): Promise<void> {
  const startedMs = performance.now()
  const moves = positions.movesFor(records)
  const stored = await storeRecords(db, moves, judged, tombstones)
  positions.moved(moves)
  for (const batch of stored.batches) fanOut(batch)
  const rejected = new Set(judged.rejected.map(({ of }) => of))
  observer.stored(records, { ...stored, rejected, seconds: (performance.now() - startedMs) / 1_000 })
}

async function pause({ firstMs, maxMs }: RetryPauses, failures: number, signal: AbortSignal): Promise<void> {
  await sleep(Math.min(maxMs, firstMs * 2 ** Math.min(failures, 30)), undefined, { signal })
}
