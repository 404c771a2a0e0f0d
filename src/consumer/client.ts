import {
  Admin,
  type BaseOptions,
  type CallbackWithPromise,
  Consumer,
  type ListCommitsOptions,
  type Offsets,
} from '@platformatic/kafka'
import type { PartitionOffset, TopicPartition } from '../store/kafka/offset.ts'
import type { SaslMechanism } from './sasl.ts'

/** How the brokers are reached. */
export interface BrokerSettings {
  brokers: readonly string[]
  /** Undefined without TLS. */
  tls: { ca: Buffer | undefined; cert: Buffer | undefined; key: Buffer | undefined } | undefined
  sasl: { mechanism: SaslMechanism; username: string; password: string } | undefined
}

/** After so long without a heartbeat the partitions of a consumer go to others. */
const SESSION_MS_MAX = 6_000
const HEARTBEAT_MS = 2_000
/** How long a broker waits for records, so that a stop waits no longer. */
const FETCH_WAIT_MS_MAX = 500
/** What a fetch brings at most; a larger record comes alone. Records of 8 MiB are taken apart at once, which held the event loop for 50 ms. */
const FETCH_BYTES_MAX = 512 * 1024
/** Records that wait in memory beyond those of a fetch. */
const WAITING_RECORDS_MAX = 200

export function baseOptions({ brokers, tls, sasl }: BrokerSettings, clientId: string): BaseOptions {
  return {
    clientId,
    bootstrapBrokers: [...brokers],
    retries: 3,
    retryDelay: 500,
    connectTimeout: 5_000,
    timeout: 10_000,
    ...(tls !== undefined && { tls: { ...tls, rejectUnauthorized: true }, tlsServerName: true }),
    ...(sasl !== undefined && { sasl }),
  }
}

/** Answers with the offsets of PostgreSQL in the place of those that the brokers keep. */
export type ReadPositions = (assigned: readonly TopicPartition[]) => Promise<PartitionOffset[]>

/** A member of the group, which starts each of its partitions where PostgreSQL says. */
export class OffsetsElsewhere extends Consumer {
  readonly #read: ReadPositions

  constructor(settings: BrokerSettings, groupId: string, read: ReadPositions) {
    super({
      ...baseOptions(settings, 'footfall-consumer'),
      groupId,
      sessionTimeout: SESSION_MS_MAX,
      heartbeatInterval: HEARTBEAT_MS,
      rebalanceTimeout: 10_000,
      autocommit: false,
    })
    this.#read = read
  }

  override listCommittedOffsets(options: ListCommitsOptions, callback: CallbackWithPromise<Offsets>): void
  override listCommittedOffsets(options: ListCommitsOptions): Promise<Offsets>
  override listCommittedOffsets(
    { topics }: ListCommitsOptions,
    callback?: CallbackWithPromise<Offsets>,
  ): Promise<Offsets> | void {
    const assigned = topics.flatMap(({ topic, partitions }) => partitions.map((partition) => ({ topic, partition })))
    const offsets = this.#read(assigned).then((positions) => {
      const byTopic: Offsets = new Map()
      for (const { topic, partition, next } of positions) {
        const ofTopic = byTopic.get(topic) ?? []
        ofTopic[partition] = next
        byTopic.set(topic, ofTopic)
      }
      return byTopic
    })
    if (callback === undefined) return offsets
    void answer(offsets, callback)
  }

  stream(topics: readonly string[]) {
    return this.consume({
      topics: [...topics],
      mode: 'committed',
      fallbackMode: 'earliest',
      autocommit: false,
      maxWaitTime: FETCH_WAIT_MS_MAX,
      maxBytes: FETCH_BYTES_MAX,
      highWaterMark: WAITING_RECORDS_MAX,
    })
  }
}

async function answer(offsets: Promise<Offsets>, callback: CallbackWithPromise<Offsets>): Promise<void> {
  const [error, found] = await offsets.then(
    (read) => [null, read] as const,
    (cause: unknown) => [cause instanceof Error ? cause : new Error(String(cause)), new Map() as Offsets] as const,
  )
  callback(error, found)
}

/** The topics among these that exist, with how many partitions each has. */
export async function partitionsOf(admin: Admin, topics: readonly string[]): Promise<Map<string, number>> {
  const existing = new Set(await admin.listTopics())
  const found = topics.filter((topic) => existing.has(topic))
  if (found.length === 0) return new Map()
  const metadata = await admin.metadata({ topics: found, forceUpdate: true })
  return new Map(found.map((topic) => [topic, metadata.topics.get(topic)?.partitionsCount ?? 0]))
}

export function createAdmin(settings: BrokerSettings): Admin {
  return new Admin(baseOptions(settings, 'footfall'))
}
