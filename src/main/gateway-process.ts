import { hostname } from 'node:os'
import type { Logger } from 'pino'
import { createKeyRing, KEYS_MS_MAX } from '../gateway/access/key-ring.ts'
import { createSessionRing } from '../gateway/access/session-ring.ts'
import { createUseNotes, USE_NOTED_MS } from '../gateway/access/use-notes.ts'
import { createSellerTokens } from '../gateway/access/seller-tokens.ts'
import { createRecording } from '../gateway/recording/ways.ts'
import { createGateway } from '../gateway/server.ts'
import { accessApi } from '../contract/services.ts'
import { timelineState } from '../store/log/timeline.ts'
import { createSigner } from '../store/access/change.ts'
import { connect } from '../store/database/connection.ts'
import { createItemsWorker } from '../workers/items-worker.ts'
import { checkPrepared } from './database/check-prepared.ts'
import { rejectionLimitsOf } from './config/access.ts'
import { addressesOf } from './config/addresses.ts'
import type { Config } from './config/config.ts'
import { consumerUrlOf } from './config/kafka.ts'
import { lagOfConsumer } from './consumer/lag-of-consumer.ts'
import { gatewaySettingsOf } from './config/gateway-settings.ts'
import { queueLimitsOf } from './config/capacity.ts'
import { recordsImpressions } from './config/impressions.ts'
import { tokenSettingsOf } from './config/seller-tokens.ts'
import { createLiveEvents } from './external/live-events.ts'
import { openMetricHistory } from './external/metric-history.ts'
import { gatewayMetrics, watchQueues } from './metrics/gateway.ts'
import { liveEventFailures } from './metrics/live-events.ts'
import { poolMetrics } from './metrics/pools.ts'
import { paymentAdaptersOf, paymentSecretsOf } from './config/payments.ts'
import { standbyMetrics } from './metrics/standbys.ts'
import { listStuck } from './embedded/stuck-invocations.ts'
import { openStandbys } from './database/open-standbys.ts'
import { databaseUrlOf } from './database/database-url.ts'
import { ingressOf } from './ingress.ts'
import type { Registry } from './metrics/registry.ts'
import { sharedPort } from './processes/shared-port.ts'
import { createReadiness } from './readiness.ts'
import { startTracing } from './tracing/start.ts'
import type { SharedState } from './gateway/shared-state.ts'
import { refusePublicWithoutKey } from './start-checks.ts'

const READ_MS_MAX = 10_000
/** PostgreSQL ends a statement that takes too long by itself. One that is not ended so much later is in a server that hangs. */
const SILENT_MS = 1_000
/** Requests that still trickle in are cut off then, before a supervisor or a container's runtime kills the process. */
const CLOSE_MS_MAX = 8_000
/** Thousands may connect at the same moment; Linux accepts as many as net.core.somaxconn allows. */
const CONNECTIONS_WAITING_MAX = 4_096

/**
 * Serves HTTP in this process.
 * @returns a function that stops it: what has begun is answered.
 * @throws StartError when the gateway cannot start: a database of another release, or no key where others can reach it.
 */
export async function startGatewayProcess(
  config: Config,
  { registry, shared, log }: { registry: Registry; shared: SharedState; log: Logger },
): Promise<() => Promise<void>> {
  const onTraceProblem = (error: unknown) => log.warn({ err: error }, 'traces not sent')
  const tracing = await startTracing(config, 'footfall-gateway', onTraceProblem)
  const databaseUrl = await databaseUrlOf(config)
  await checkPrepared(databaseUrl, 'wait')
  const reads = {
    name: 'footfall gateway',
    connectionsMax: config.DATABASE_CONNECTIONS,
    readOnly: true,
    prepares: true,
    statementMsMax: READ_MS_MAX,
    silentMsMax: READ_MS_MAX + SILENT_MS,
    onConnectionLost: (error: Error) => log.warn({ err: error.message }, 'database connection lost'),
  }
  const measurePool = poolMetrics(registry)
  const observerOf = (pool: string) => ({ ...measurePool(pool), ...tracing.store })
  const db = connect({ ...reads, url: databaseUrl, observer: observerOf('reading') })
  const standbys = openStandbys(config, { databaseUrl, reads, observerOf, log })
  standbyMetrics(registry, () => standbys?.states() ?? [])
  const adapters = await paymentAdaptersOf(config)
  const providers = adapters.map(({ provider }) => provider)
  const observer = gatewayMetrics(registry, providers)
  const ingress = ingressOf(config)
  const queueLimits = queueLimitsOf(config)
  const recording = createRecording({
    ingress,
    db,
    observer,
    rejectionLimits: rejectionLimitsOf(config, config.GATEWAY_PROCESSES),
    recordsImpressions: recordsImpressions(config),
    ...queueLimits,
  })
  const itemsWorker = createItemsWorker()
  const onFailed = liveEventFailures(registry)
  const live = await createLiveEvents(config, {
    onFailed,
    onAway: (error, failed) =>
      log.warn({ err: error, failed }, 'the Redis of SHOPPER_STORE does not answer; requests go on without it'),
    inMemory: shared.live,
  })
  const history = await openMetricHistory(config)
  watchQueues(registry, { queues: recording.queues, room: recording.room, ...queueLimits })
  // A connection of its own, so that a revoked key is noticed however many readers wait.
  const keysDb = connect({
    url: databaseUrl,
    name: 'footfall keys',
    connectionsMax: 1,
    readOnly: true,
    statementMsMax: KEYS_MS_MAX,
    silentMsMax: KEYS_MS_MAX + SILENT_MS,
  })
  const keys = createKeyRing(keysDb, (error) =>
    log.warn({ err: error }, 'the keys cannot be read; the last known keys stay valid'),
  )
  // Keys that are read at the start stay good during a later outage of the database.
  const first = await keys().catch((error: unknown) => log.warn({ err: error }, 'the keys cannot be read yet'))
  // While the keys cannot be read, a gateway that others can reach serves no request.
  if (first !== undefined) refusePublicWithoutKey(config, first.areUsed)
  // Read again in the background, so that the first request after a pause does not find them too old.
  setInterval(() => void keys().catch(() => undefined), KEYS_MS_MAX / 2).unref()

  // What the gateway signs, the endpoint writes.
  const signChange = createSigner(keysDb)
  const uses = createUseNotes(
    async (change) => ingress.call(accessApi, 'Change', await signChange(change, {})),
    (error) => log.warn({ err: error }, 'the last use of keys cannot be written'),
  )
  setInterval(() => void uses.flush(), USE_NOTED_MS).unref()
  const sessionOf = createSessionRing(keysDb, (error) =>
    log.warn({ err: error }, 'sessions cannot be read; the last known ones stay valid'),
  )

  const tokenSettings = tokenSettingsOf(config)
  const onIssuerAway = (error: unknown) => log.warn({ err: error }, "the keys of the tokens' issuer cannot be read")

  const { adminUrl } = addressesOf(config)
  const consumerUrl = consumerUrlOf(config)
  const gateway = await createGateway({
    db,
    standbys,
    ingress,
    recording,
    live,
    itemsWorker,
    metricHistory: history.of,
    paymentWebhooks: { secrets: paymentSecretsOf(config), adapters },
    access: {
      keys,
      sellerOfToken: tokenSettings && createSellerTokens(tokenSettings, onIssuerAway),
      sessionOf,
      noteUse: uses.note,
    },
    signChange,
    readiness: createReadiness({
      ...{ databaseUrl, ingress, consumerUrl, standbys, ...addressesOf(config) },
      timeline: () => timelineState(db),
    }),
    stuckInvocations: adminUrl === undefined ? undefined : () => listStuck(adminUrl),
    kafkaLag: consumerUrl === undefined ? undefined : () => lagOfConsumer(consumerUrl),
    budgets: shared.budgets,
    metrics: shared.metrics,
    observer,
    settings: gatewaySettingsOf(config),
    isTraced: tracing.isOn,
    log,
  })
  const address = { host: config.GATEWAY_HOST, port: config.GATEWAY_PORT }
  const listening = { ...address, backlog: CONNECTIONS_WAITING_MAX, ...sharedPort() }
  await gateway.listen(listening)
  log.info({ host: hostname(), port: config.GATEWAY_PORT }, 'gateway listens')
  return async () => {
    // A server that closes no longer checks for requests that arrive too slowly.
    setTimeout(() => gateway.server.closeAllConnections(), CLOSE_MS_MAX).unref()
    await gateway.close()
    await recording.impressions.stop()
    recording.room.stop()
    history.close()
    await Promise.all([db.destroy(), standbys?.close(), keysDb.destroy(), itemsWorker.stop(), live.stop(), tracing.stop()])
    log.info('gateway stopped')
  }
}
