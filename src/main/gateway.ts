import { pino } from 'pino'
import { SERVICE_APIS } from '../contract/services.ts'
import { createKeyRing, KEYS_MS_MAX } from '../gateway/access/key-ring.ts'
import { createEventWriter } from '../gateway/recording/event-writer.ts'
import { createProductWriter } from '../gateway/recording/product-writer.ts'
import { createPaymentWriter } from '../gateway/recording/payment-writer.ts'
import { createRecomputeRunsClient } from '../ingress/recompute-runs-client.ts'
import { recordingWays } from '../gateway/recording/ways.ts'
import { createSchedulesClient } from '../ingress/schedules-client.ts'
import { createSellerTokens } from '../gateway/access/seller-tokens.ts'
import { createGateway } from '../gateway/server.ts'
import { connect, isAnswering } from '../store/database/connection.ts'
import { checkPrepared } from './database/check-prepared.ts'
import { readConfig } from './config/config.ts'
import { addressesOf } from './config/addresses.ts'
import { gatewaySettingsOf } from './config/gateway-settings.ts'
import { queueLimitsOf } from './config/capacity.ts'
import { tokenSettingsOf } from './config/seller-tokens.ts'
import { registrationOf } from './release/deployments.ts'
import { isRestateUp, pausedTasks } from './embedded/restate.ts'
import { gatewayMetrics, watchQueue } from './metrics/gateway.ts'
import { poolMetrics } from './metrics/pools.ts'
import { createRegistry } from './metrics/registry.ts'
import { paymentAdaptersOf, paymentSecretsOf } from './config/payments.ts'
import { databaseUrlOf } from './database/with-database.ts'
import { startTracing } from './tracing/start.ts'
import { waitForShutdown } from './shutdown-signal.ts'
import { isListening } from './embedded/ports.ts'

const SERVICES = SERVICE_APIS.map(({ name }) => name)
const READ_MS_MAX = 10_000
/** A probe does not wait for what it only mentions. */
const PAUSED_MS_MAX = 1_000
/** Before whoever told this process to end loses patience. */
const CLOSE_MS_MAX = 8_000
/** Thousands may connect in the same moment; Linux takes what net.core.somaxconn allows. */
const CONNECTIONS_WAITING_MAX = 4_096

/** The process that speaks HTTP with everybody else. */
const config = readConfig(process.env)
const log = pino({ name: 'gateway', level: config.LOG_LEVEL })
const onTraceProblem = (error: unknown) => log.warn({ err: error }, 'traces not sent')
const tracing = await startTracing(config, 'footfall-gateway', onTraceProblem)
const registry = createRegistry()
const databaseUrl = await databaseUrlOf(config)
const { ingressUrl, adminUrl, endpointUrl } = addressesOf(config)
await checkPrepared(databaseUrl, 'wait')
const db = connect({
  url: databaseUrl,
  name: 'footfall gateway',
  connectionsMax: config.DATABASE_CONNECTIONS,
  readOnly: true,
  prepares: true,
  statementMsMax: READ_MS_MAX,
  onConnectionLost: (error) => log.warn({ err: error.message }, 'database connection lost'),
  observer: { ...poolMetrics(registry)('reading'), ...tracing.store },
})
const observer = gatewayMetrics(registry)
const queue = queueLimitsOf(config)
const { gate, ...ways } = recordingWays({ ingressUrl, db, observer, ...queue })
const payments = createPaymentWriter({ ingressUrl, observer, ...queue })
const analyticsEvents = createEventWriter({ ingressUrl, observer, ...queue })
const queues = [
  ...[ways, ways.searches].flatMap(({ groupCommit, groupSubmit }) => [groupCommit, groupSubmit]),
  payments,
  analyticsEvents,
]
watchQueue(registry, { lengths: () => queues.map((one) => one.length()), ...queue })
// A connection of its own: whoever revokes a key must not wait for readers.
const keysDb = connect({
  url: databaseUrl,
  name: 'footfall keys',
  connectionsMax: 1,
  readOnly: true,
  statementMsMax: KEYS_MS_MAX,
})
const keys = createKeyRing(keysDb, (error) => log.warn({ err: error }, 'keys not asked for; the last known ones stay good'))
// Known from the start, an outage of the database later does not keep anybody out.
await keys().catch((error: unknown) => log.warn({ err: error }, 'no keys known yet'))
// Nor does the first of many requests at once find that they are too old.
setInterval(() => void keys().catch(() => undefined), KEYS_MS_MAX / 2).unref()

const tokenSettings = tokenSettingsOf(config)
const onIssuerAway = (error: unknown) => log.warn({ err: error }, "the keys of the tokens' issuer not asked for")

const gateway = await createGateway({
  db,
  log,
  ...ways,
  analyticsEvents,
  payments: { payments, secrets: paymentSecretsOf(config), adapters: await paymentAdaptersOf(config) },
  writeProducts: createProductWriter({ ingressUrl, gate }),
  keys,
  sellerOfToken: tokenSettings && createSellerTokens(tokenSettings, onIssuerAway),
  runs: createRecomputeRunsClient(ingressUrl),
  schedules: createSchedulesClient(ingressUrl),
  observer,
  metrics: () => registry.metrics(),
  isTraced: tracing.isOn,
  settings: gatewaySettingsOf(config),
  readiness: async () => {
    const registered = registrationOf(adminUrl, SERVICES)
    const [postgresql, ingress, endpoint, { isComplete: registration }, paused] = await Promise.all([
      isAnswering(databaseUrl),
      isRestateUp({ ingress: ingressUrl, admin: adminUrl }),
      // After a release it is another one than was configured here.
      registered.then(({ address }) => isListening(address ?? endpointUrl)),
      registered,
      pausedTasks(adminUrl, PAUSED_MS_MAX).catch(() => null),
    ])
    return { postgresql, restate: ingress, endpoint, registration, paused_tasks: paused }
  },
})
await gateway.listen({ host: config.GATEWAY_HOST, port: config.GATEWAY_PORT, backlog: CONNECTIONS_WAITING_MAX })
process.send?.('ready')

await waitForShutdown()
// Node stops looking for requests that trickle in once it closes.
setTimeout(() => gateway.server.closeAllConnections(), CLOSE_MS_MAX).unref()
await gateway.close()
await Promise.all([db.destroy(), keysDb.destroy(), tracing.stop()])
log.info('gateway stopped')
process.exit(0)
