import { setTimeout as sleep } from 'node:timers/promises'
import type { Admin, Message } from '@platformatic/kafka'
import type { KafkaRecord } from '../admission/kafka-record.ts'
import type { JudgedRecords } from '../admission/judge-records.ts'
import type { Privacy } from '../admission/privacy.ts'
import type { RecordKind } from '../contract/kafka-record.ts'
import type { Database } from '../store/database/connection.ts'
import { FencedError } from '../store/kafka/offset.ts'
import type { BatchBounds } from '../store/log/batch.ts'
import type { Tombstones } from '../store/log/tombstone.ts'
import { assign } from './assignment.ts'
import { batchesOf } from './batches.ts'
import { type BrokerSettings, createAdmin, OffsetsElsewhere, partitionsOf } from './client.ts'
import { createPositions, type Positions, StaleSessionError } from './positions.ts'
import { watchSeeks } from './seek-watch.ts'
import { type BatchObserver, RETRY, type RetryPauses, storeBatch, type StoreBatchDeps } from './store-batch.ts'

export interface ConsumerObserver extends BatchObserver {
  /** A session with the brokers began with these topics; those that do not exist are looked for again. */
  joined: (topics: ReadonlyMap<string, number>, missing: readonly string[]) => void
  /** PostgreSQL answered with the offsets of this consumer's partitions. */
  assigned: () => void
  /** A session ended, and another one begins. */
  left: (error: unknown) => void
  /** The offset of a partition was not in its topic. */
  moved: (topic: string, partition: number, from: bigint, to: bigint) => void
}

export interface ConsumerOptions {
  db: Database
  brokers: BrokerSettings
  groupId: string
  /** What each topic has. */
  topics: ReadonlyMap<string, RecordKind>
  judge: (records: readonly KafkaRecord[]) => Promise<JudgedRecords>
  privacy: Privacy
  tombstones: Tombstones
  fanOut: (batch: BatchBounds) => void
  observer: ConsumerObserver
  retry?: RetryPauses
  batchMs?: number
  /** How often new topics and partitions are looked for. */
  lookMs?: number
}

const BATCH_RECORDS_MAX = 100
const BATCH_BYTES_MAX = 8 * 1024 * 1024
const BATCH_MS_MAX = 1_000
const LOOK_MS = 30_000
const SESSION_PAUSE_MS_MAX = 15_000
/** What a record takes in memory besides its key and value. */
const RECORD_BYTES = 200

/** Reads the topics until the signal aborts. Each session with the brokers that fails is followed by another one. */
export async function runConsumer(options: ConsumerOptions, signal: AbortSignal): Promise<void> {
  for (let failures = 0; !signal.aborted; failures++) {
    const startedMs = performance.now()
    try {
      await runSession(options, signal)
      failures = 0
    } catch (error) {
      if (signal.aborted) break
      options.observer.left(error)
      if (
        error instanceof FencedError ||
        error instanceof StaleSessionError ||
        performance.now() - startedMs > SESSION_PAUSE_MS_MAX
      ) {
        failures = 0
      }
    }
    const pauseMs = Math.min(SESSION_PAUSE_MS_MAX, 250 * 2 ** Math.min(failures, 10))
    await sleep(pauseMs, undefined, { signal }).catch(() => undefined)
  }
}

/** @returns when topics or partitions were added, or the signal aborts. */
async function runSession(options: ConsumerOptions, signal: AbortSignal): Promise<void> {
  const admin = createAdmin(options.brokers)
  try {
    const names = [...options.topics.keys()]
    const found = await partitionsOf(admin, names)
    options.observer.joined(
      found,
      names.filter((name) => !found.has(name)),
    )
    const changed = untilChanged(admin, names, found, options.lookMs ?? LOOK_MS)
    try {
      const end = AbortSignal.any([signal, changed.signal])
      if (found.size === 0) await sleep(2 ** 31 - 1, undefined, { signal: end }).catch(() => undefined)
      else await readTopics(options, [...found.keys()], signal, end)
    } finally {
      changed.stop()
    }
  } finally {
    await admin.close().catch(() => undefined)
  }
}

/** Reads until `end` aborts; a batch that is being stored is waited for, unless `signal` aborts while it pauses. */
async function readTopics(
  options: ConsumerOptions,
  topics: readonly string[],
  signal: AbortSignal,
  end: AbortSignal,
): Promise<void> {
  const positions = createPositions()
  const failed = new AbortController()
  const consumer: OffsetsElsewhere = new OffsetsElsewhere(options.brokers, options.groupId, async (assigned) => {
    try {
      const places = await assign(options.db, consumer, assigned, options.observer.moved)
      positions.assign(places)
      options.observer.assigned()
      return places
    } catch (error) {
      failed.abort(error)
      throw error
    }
  })
  // Without a listener an error event would end the process.
  consumer.on('error' as never, (() => undefined) as never)
  const seeks = watchSeeks(options.db, positions, (error) => failed.abort(error))
  try {
    const stream = await consumer.stream(topics)
    stream.on('error', (error) => failed.abort(error))
    const deps = depsOf(options, positions)
    const commit = createCommitter(consumer, positions)
    const limits = { itemsMax: BATCH_RECORDS_MAX, bytesMax: BATCH_BYTES_MAX, msMax: options.batchMs ?? BATCH_MS_MAX, bytesOf }
    const ending = AbortSignal.any([end, failed.signal])
    let storing: Promise<void> = Promise.resolve()
    for await (const messages of batchesOf(stream[Symbol.asyncIterator](), limits, ending)) {
      const records = messages.map((message) => recordOf(message, options.topics))
      // While the statements of the batch before run, which take longer. What cannot be judged is judged again with its attempts.
      const judged = await deps.judge(records).catch(() => undefined)
      await storing
      if (ending.aborted) break
      storing = storeBatch(deps, records, signal, judged).then(commit)
      storing.catch((error: unknown) => failed.abort(error))
    }
    await storing
    if (failed.signal.aborted) throw failed.signal.reason
  } finally {
    seeks.stop()
    await closeQuietly(consumer)
  }
}

function depsOf(options: ConsumerOptions, positions: Positions): StoreBatchDeps {
  return { ...options, positions, retry: options.retry ?? RETRY }
}

function recordOf(message: Message, topics: ReadonlyMap<string, RecordKind>): KafkaRecord {
  const { topic, partition, offset, timestamp, key, value, headerEntries } = message as Message & { key: Buffer | undefined }
  return {
    topic,
    partition,
    offset,
    kind: topics.get(topic)!,
    timestampMs: Number(timestamp) > 0 ? Number(timestamp) : Date.now(),
    key: key ?? null,
    value: value ?? null,
    headers: headerEntries.map(([name, each]) => [String(name ?? ''), each ?? null]),
  }
}

function bytesOf({ key, value }: Message): number {
  return RECORD_BYTES + ((key as Buffer | undefined)?.length ?? 0) + ((value as Buffer | undefined)?.length ?? 0)
}

/** How often the brokers are told the offsets, which only their own displays of lag use. */
const COMMIT_MS = 1_000

function createCommitter(consumer: OffsetsElsewhere, positions: Positions): () => void {
  let dueMs = 0
  let isRunning = false
  return () => {
    if (isRunning || performance.now() < dueMs) return
    dueMs = performance.now() + COMMIT_MS
    isRunning = true
    const offsets = positions.all().map(({ topic, partition, next }) => ({ topic, partition, offset: next, leaderEpoch: -1 }))
    consumer
      .commit({ offsets })
      .catch(() => undefined)
      .finally(() => (isRunning = false))
  }
}

/** Aborts its signal once topics or partitions were added. A broker that does not answer is asked again. */
function untilChanged(admin: Admin, names: readonly string[], found: ReadonlyMap<string, number>, lookMs: number) {
  const changed = new AbortController()
  const look = async () => {
    const now = await partitionsOf(admin, names).catch(() => found)
    if (names.some((name) => now.get(name) !== found.get(name))) changed.abort()
  }
  const timer = setInterval(() => void look(), lookMs)
  return { signal: changed.signal, stop: () => clearInterval(timer) }
}

const CLOSE_MS_MAX = 3_000

/**
 * Leaves the group first, because `close` alone lets a join that is on its way come to its end: the group would then have a member without topics
 * for ever, which as its leader assigns no partition to any member.
 */
async function closeQuietly(consumer: OffsetsElsewhere): Promise<void> {
  await inTime(new Promise((resolve) => consumer.leaveGroup(true, () => resolve())))
  await inTime(consumer.close(true))
}

async function inTime(ending: Promise<void>): Promise<void> {
  await Promise.race([ending.catch(() => undefined), sleep(CLOSE_MS_MAX, undefined, { ref: false })])
}
