import { runConsumer } from '../consumer/consumer.ts'
import { createAdmin } from '../consumer/client.ts'
import { lagOf } from '../consumer/lag.ts'
import { lagAnswerOf } from '../consumer/lag-answer.ts'
import { problemOf } from '../consumer/problem.ts'
import { analyticApi } from '../contract/services.ts'
import { connect } from '../store/database/connection.ts'
import { storedOffsets } from '../store/kafka/offset.ts'
import type { BatchBounds } from '../store/log/batch.ts'
import { createTombstones } from '../store/log/tombstone.ts'
import { readConfig } from './config/config.ts'
import { erasureKeyOf } from './config/erasure-key.ts'
import { brokersOf, topicsOf } from './config/kafka.ts'
import { privacyOf } from './config/privacy.ts'
import { consumerState } from './consumer/state.ts'
import { checkErasureKey, checkPrepared } from './database/check-prepared.ts'
import { databaseUrlOf } from './database/database-url.ts'
import { ingressOf } from './ingress.ts'
import { createLog } from './log.ts'
import { consumerMetrics } from './metrics/consumer.ts'
import { poolMetrics } from './metrics/pools.ts'
import { createRegistry } from './metrics/registry.ts'
import { serveMetrics } from './metrics/serve.ts'
import { waitForShutdown } from './shutdown-signal.ts'
import { giveBackMemory } from './processes/give-back-memory.ts'
import { createRecordJudge } from '../workers/record-judge.ts'

const FAN_OUT_MS_MAX = 5_000
/** Less than the time before SIGKILL: 30 s in Kubernetes, 20 s in docker-compose.yml. */
const DRAIN_MS_MAX = 15_000

/** The process that reads Kafka. */
const config = readConfig(process.env)
const log = createLog('consumer', config.LOG_LEVEL)
const shutdown = waitForShutdown()
const brokers = brokersOf(config)
const topics = topicsOf(config)
const url = await databaseUrlOf(config)
await checkPrepared(url, 'refuse')
await checkErasureKey(url, erasureKeyOf(config))
const registry = createRegistry()
const db = connect({
  url,
  name: 'footfall consumer',
  connectionsMax: 2,
  onConnectionLost: (error) => log.warn({ err: error.message }, 'database connection lost'),
  observer: poolMetrics(registry)('consuming'),
})
const admin = createAdmin(brokers)
const metrics = consumerMetrics(registry, async () => lagOf(admin, [...topics.keys()], await storedOffsets(db)))
const ingress = ingressOf(config, { deadlineMs: FAN_OUT_MS_MAX })
const state = consumerState()
const privacy = privacyOf(config)
const judging = createRecordJudge({
  settings: () => ({ nowMs: Date.now(), currency: config.DEFAULT_CURRENCY, privacy }),
})
const stopping = new AbortController()

/** The sweeper sends what this does not. */
const fanOut = ({ batchId, ...batch }: BatchBounds): void => {
  const idempotencyKey = `kafka ${batchId} ${batch.call}`
  ingress.send(analyticApi, 'FanOut', { batch_id: batchId, ...batch }, { idempotencyKey }).catch((error: unknown) => {
    metrics.failed('fan_out')
    log.warn({ err: error, batch: batchId }, 'not sent on to be counted; the sweeper sends it within minutes')
  })
}

const consuming = runConsumer(
  {
    db,
    brokers,
    groupId: config.KAFKA_GROUP,
    topics,
    judge: judging.judge,
    privacy,
    tombstones: createTombstones(erasureKeyOf(config)),
    fanOut,
    observer: {
      stored: (records, { rejected, seconds }) => {
        state.stored()
        metrics.stored(records, rejected, seconds)
        if (rejected.size > 0)
          log.warn({ rejected: rejected.size, of: records.length }, 'records break the contract: footfall rejected list')
      },
      failed: (error, isOutage) => {
        state.failed(error, isOutage)
        metrics.failed(isOutage ? 'outage' : 'batch')
        log.warn(
          { err: error },
          isOutage ? 'PostgreSQL is away; the batch waits' : 'a batch cannot be stored, and is tried again',
        )
      },
      setAside: (record, error) => {
        const { topic, partition, offset } = record
        metrics.setAside(record)
        log.error({ err: error, topic, partition, offset: String(offset) }, 'a record cannot be stored, and is set aside')
      },
      joined: (found, missing) => {
        state.joined(missing)
        log.info({ topics: Object.fromEntries(found), missing }, 'reads Kafka')
        if (missing.length > 0) log.warn({ missing }, 'topics that do not exist; they are looked for every 30 s')
      },
      assigned: () => {
        state.assigned()
        metrics.assigned()
      },
      left: (error) => {
        state.left(error)
        metrics.failed('session')
        log.warn({ problem: problemOf(error) }, 'the session with the brokers ended; another one begins')
      },
      moved: (topic, partition, from, to) =>
        log.error(
          { topic, partition, from: String(from), to: String(to) },
          'the topic does not have this offset; it is read from its first record',
        ),
    },
  },
  stopping.signal,
)
const server = await serveMetrics(registry, {
  host: config.ENDPOINT_HOST,
  port: config.CONSUMER_METRICS_PORT,
  isHealthy: () => true,
  readiness: state.answer,
  lag: async () => {
    const lags = await metrics.lag()
    return lags && lagAnswerOf([...topics.keys()], lags)
  },
})
process.send?.('ready')
giveBackMemory()

await shutdown
stopping.abort()
server.close()
setTimeout(() => process.exit(1), DRAIN_MS_MAX).unref()
await consuming
await Promise.all([judging.stop(), db.destroy(), admin.close().catch(() => undefined)])
log.info('consumer stopped')
process.exit(0)
