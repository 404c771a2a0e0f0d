import { randomBytes } from 'node:crypto'
import { Admin, Producer } from '@platformatic/kafka'
import type { BrokerSettings } from '../../../../src/consumer/client.ts'
import type { RecordKind } from '../../../../src/contract/kafka-record.ts'
import { until } from '../../../../src/main/embedded/until.ts'

export interface TestTopics {
  settings: BrokerSettings
  /** Its own name for each kind of topic, so that tests share a broker. */
  nameOf: Readonly<Record<RecordKind, string>>
  topics: ReadonlyMap<string, RecordKind>
  groupId: string
  /** Sends records in this order. Resolves when the broker has them. */
  send: (records: readonly SentRecord[]) => Promise<void>
  close: () => Promise<void>
}

export interface SentRecord {
  kind: RecordKind
  value: unknown
  key?: string | Buffer
  partition?: number
  headers?: Record<string, string>
}

const LEADERS_MS_MAX = 20_000

const KINDS: readonly RecordKind[] = ['ProductCreated', 'ProductUpdated', 'ProductDeleted', 'interaction']

/** Makes the four topics, each with so many partitions. */
export async function makeTopics(address: string, partitions: number): Promise<TestTopics> {
  const settings: BrokerSettings = { brokers: [address], tls: undefined, sasl: undefined }
  const base = { clientId: 'test', bootstrapBrokers: [address], retries: 20, retryDelay: 500 }
  const prefix = `t-${randomBytes(4).toString('hex')}`
  const nameOf = Object.fromEntries(KINDS.map((kind) => [kind, `${prefix}.${kind}`])) as Record<RecordKind, string>
  const admin = new Admin(base)
  await admin.createTopics({ topics: Object.values(nameOf), partitions, replicas: 1 })
  // Until every partition has a leader, a producer would send the records of the others again.
  const haveLeaders = async () => {
    const { topics } = await admin.metadata({ topics: Object.values(nameOf), forceUpdate: true })
    return [...topics.values()].every(
      ({ partitions: all }) => all.length === partitions && all.every(({ leader }) => leader >= 0),
    )
  }
  if (!(await until(() => haveLeaders().catch(() => false), LEADERS_MS_MAX))) throw new Error('the topics have no leaders')
  await admin.close()
  const producer = new Producer<Buffer, Buffer, string, string>({
    ...base,
    idempotent: true,
    serializers: { headerKey: (text) => Buffer.from(text ?? ''), headerValue: (text) => Buffer.from(text ?? '') },
  })
  const send = async (records: readonly SentRecord[]) => {
    const messages = records.map(({ kind, value, key = 's-1', partition, headers }) => ({
      topic: nameOf[kind],
      key: Buffer.from(key),
      ...(partition !== undefined && { partition }),
      ...(headers !== undefined && { headers }),
      value: value === null || Buffer.isBuffer(value) ? (value as Buffer) : Buffer.from(JSON.stringify(value)),
    }))
    for (let at = 0; at < messages.length; at += 500) await producer.send({ messages: messages.slice(at, at + 500), acks: -1 })
  }
  return {
    settings,
    nameOf,
    topics: new Map(KINDS.map((kind) => [nameOf[kind], kind])),
    groupId: prefix,
    send,
    close: () => producer.close().catch(() => undefined),
  }
}
