import { pino } from 'pino'
import { TASKS } from '../../services/periodic-tasks.ts'
import { schedulesOf } from '../gateway/schedules.ts'
import { backlog } from '../store/backlog.ts'
import { connect } from '../store/database.ts'
import { addressesOf, keepingOf, privacyOf, readConfig } from './config.ts'
import { pausedTasks, stuckInvocations } from './embedded/restate.ts'
import { backlogMetrics } from './metrics/backlog.ts'
import { poolMetrics } from './metrics/pools.ts'
import { createRegistry } from './metrics/registry.ts'
import { scheduleMetrics } from './metrics/schedules.ts'
import { serveMetrics } from './metrics/serve.ts'
import { handlerTimes, serviceMetrics } from './metrics/services.ts'
import { databaseUrlOf } from './reach.ts'
import { serveEndpoint } from './serve-endpoint.ts'
import { startTracing } from './tracing/start.ts'
import { untilTold } from './until-told.ts'

const BACKLOG_MS_MAX = 3_000
/** A handler that gives up waiting for its turn is tried again, and that is one more that waits. */
const TURN_MS_MAX = 60_000

/** The process that runs the services for Restate. */
const config = readConfig(process.env)
const log = pino({ name: 'endpoint', level: config.LOG_LEVEL })
const onTraceProblem = (error: unknown) => log.warn({ err: error }, 'traces not sent')
const tracing = await startTracing(config, 'footfall-endpoint', onTraceProblem)
const registry = createRegistry()
const poolObserver = poolMetrics(registry)
const url = await databaseUrlOf(config)
const onConnectionLost = (error: Error) => log.warn({ err: error.message }, 'database connection lost')
const pool = (name: string, label: string) =>
  connect({
    url,
    name,
    connectionsMax: config.DATABASE_CONNECTIONS,
    waitMsMax: TURN_MS_MAX,
    onConnectionLost,
    observer: { ...poolObserver(label), ...tracing.store },
  })
const db = pool('footfall endpoint', 'recording')
const background = pool('footfall background', 'counting')
// The backlog is asked for most when the other connections are all busy.
const watching = connect({
  url,
  name: 'footfall metrics',
  connectionsMax: 1,
  readOnly: true,
  statementMsMax: BACKLOG_MS_MAX,
  onConnectionLost,
})
const { adminUrl, ingressUrl } = addressesOf(config)
backlogMetrics(registry, { backlog: () => backlog(watching), stuck: () => stuckInvocations(adminUrl) })
scheduleMetrics(registry, { schedules: schedulesOf(ingressUrl), paused: () => pausedTasks(adminUrl) })
const server = await serveEndpoint(
  {
    db,
    background,
    retryPolicy: {
      initialInterval: 100,
      exponentiationFactor: 2,
      maxInterval: config.RETRY_INTERVAL_MS_MAX,
      maxAttempts: config.RETRY_ATTEMPTS_MAX,
      onMaxAttempts: 'pause',
    },
    privacy: privacyOf(config),
    keeping: keepingOf(config),
    tasks: TASKS,
    observer: serviceMetrics(registry),
    reached: () => undefined,
  },
  { host: '127.0.0.1', port: config.ENDPOINT_PORT, log, hooks: [...tracing.hooks, handlerTimes(registry)] },
)
const metrics = await serveMetrics(registry, { host: '127.0.0.1', port: config.ENDPOINT_METRICS_PORT })
process.send?.('ready')
log.info({ port: config.ENDPOINT_PORT }, 'endpoint listens')

await untilTold()
server.close()
metrics.close()
await Promise.all([db.destroy(), background.destroy(), watching.destroy(), tracing.stop()])
log.info('endpoint stopped')
process.exit(0)
