import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import type { KafkaRecord } from '../../admission/kafka-record.ts'
import type { PartitionLag } from '../../consumer/lag.ts'
import { SECONDS } from './registry.ts'
import { throttled } from './throttle.ts'

/** How long after it was written a record is stored: from a live stream to a backlog of days. */
const DELAYS = [0.1, 0.25, 0.5, 1, 1.5, 2, 3, 5, 10, 30, 60, 300, 3_600, 86_400]

/** Measures the consumer. */
export function consumerMetrics(registry: Registry, lag: () => Promise<readonly PartitionLag[]>) {
  const registers = [registry]
  const records = new Counter({
    name: 'footfall_kafka_records_total',
    help: 'Records that were read: stored, rejected because they break the contract, or set aside because they cannot be stored.',
    labelNames: ['topic', 'outcome'],
    registers,
  })
  const batches = new Histogram({
    name: 'footfall_kafka_batch_seconds',
    help: 'Time to store a batch of records and its offsets.',
    buckets: SECONDS,
    registers,
  })
  const delays = new Histogram({
    name: 'footfall_kafka_delay_seconds',
    help: 'Age of the oldest record of a batch when it was stored, by the time of the record.',
    buckets: DELAYS,
    registers,
  })
  const failures = new Counter({
    name: 'footfall_kafka_failures_total',
    help: 'Failed attempts: to store a batch (batch), or because PostgreSQL is away (outage); sessions with the brokers that ended (session); batches that were stored and not sent on to be counted (fan_out).',
    labelNames: ['kind'],
    registers,
  })
  for (const kind of ['batch', 'outage', 'session', 'fan_out']) failures.inc({ kind }, 0)
  // oxlint-disable-next-line no-new -- the registry keeps it
  new Gauge({
    name: 'footfall_kafka_waiting_seconds',
    help: 'For how long the consumer has waited for PostgreSQL; 0 while it does not wait.',
    registers,
    collect() {
      this.set(state.waitingSinceMs === undefined ? 0 : (performance.now() - state.waitingSinceMs) / 1_000)
    },
  })
  const state: { waitingSinceMs: number | undefined } = { waitingSinceMs: undefined }
  const lags = throttled(lag, () => undefined)
  // oxlint-disable-next-line no-new -- the registry keeps it
  new Gauge({
    name: 'footfall_kafka_lag_records',
    help: 'Records of a partition that are not stored yet. Absent while the brokers or PostgreSQL do not answer.',
    labelNames: ['topic', 'partition'],
    registers,
    async collect() {
      const answer = await lags.ask()
      this.reset()
      for (const { topic, partition, behind } of answer ?? []) if (behind !== null) this.set({ topic, partition }, Number(behind))
    },
  })
  return {
    /** At most some seconds old; undefined while the brokers or PostgreSQL do not answer. */
    lag: lags.ask,
    assigned: () => void (state.waitingSinceMs = undefined),
    stored: (all: readonly KafkaRecord[], rejected: ReadonlySet<KafkaRecord>, seconds: number) => {
      state.waitingSinceMs = undefined
      batches.observe(seconds)
      const oldestMs = all.reduce((oldest, { timestampMs }) => Math.min(oldest, timestampMs), Infinity)
      delays.observe(Math.max(0, (Date.now() - oldestMs) / 1_000))
      for (const record of all) records.inc({ topic: record.topic, outcome: rejected.has(record) ? 'rejected' : 'stored' })
    },
    setAside: ({ topic }: KafkaRecord) => records.inc({ topic, outcome: 'set_aside' }),
    failed: (kind: 'batch' | 'outage' | 'session' | 'fan_out') => {
      failures.inc({ kind })
      if (kind === 'outage') state.waitingSinceMs ??= performance.now()
    },
  }
}
