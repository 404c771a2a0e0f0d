import cluster from 'node:cluster'
import { pino } from 'pino'
import { createSchedulesClient } from '../ingress/schedules-client.ts'
import { backlog } from '../store/log/backlog.ts'
import { connect } from '../store/database/connection.ts'
import { readConfig } from './config/config.ts'
import { addressesOf } from './config/addresses.ts'
import { pausedTasks, stuckInvocations } from './embedded/restate.ts'
import { checkEndpoint, startEndpointProcess } from './endpoint/endpoint-process.ts'
import { keepProcesses, type KeptProcesses, READY } from './endpoint/endpoint-cluster.ts'
import { backlogMetrics } from './metrics/backlog.ts'
import { metricsOfAll, sharedRegistry, shareMetrics } from './metrics/processes.ts'
import { createRegistry, type Registry } from './metrics/registry.ts'
import { scheduleMetrics } from './metrics/schedules.ts'
import { serveMetrics } from './metrics/serve.ts'
import { databaseUrlOf } from './database/with-database.ts'
import { waitForShutdown } from './shutdown-signal.ts'

const BACKLOG_MS_MAX = 3_000

/** The service endpoint: this process, or several that share its port. Metrics are of all of them. */
const config = readConfig(process.env)
const log = pino({ name: 'endpoint', level: config.LOG_LEVEL })
const told = waitForShutdown()

if (cluster.isWorker) {
  const registry = createRegistry()
  shareMetrics(registry)
  const stop = await startEndpointProcess(config, registry, log)
  process.send?.(READY)
  await told
  await stop()
} else {
  const isAlone = config.ENDPOINT_PROCESSES === 1
  const registry = isAlone ? createRegistry() : sharedRegistry()
  // Once, and not by each of them.
  if (!isAlone) await checkEndpoint(config)
  const kept = await (isAlone ? startAlone(registry) : Promise.race([keepProcesses(config.ENDPOINT_PROCESSES, log), told]))
  if (kept === undefined) process.exit(1)
  const unwatch = await watch(registry)
  const metrics = await serveMetrics(isAlone ? registry : metricsOfAll(registry), {
    host: config.ENDPOINT_HOST,
    port: config.ENDPOINT_METRICS_PORT,
    isHealthy: kept.isServing,
  })
  process.send?.(READY)
  await told
  metrics.close()
  await Promise.all([kept.stop(), unwatch()])
}
process.exit(0)

async function startAlone(registry: Registry): Promise<KeptProcesses> {
  return { stop: await startEndpointProcess(config, registry, log), isServing: () => true }
}

/** What is the same whichever process is asked. */
async function watch(watched: Registry): Promise<() => Promise<void>> {
  // The backlog is asked for most when the other connections are all busy.
  const db = connect({
    url: await databaseUrlOf(config),
    name: 'footfall metrics',
    connectionsMax: 1,
    readOnly: true,
    statementMsMax: BACKLOG_MS_MAX,
    onConnectionLost: (error) => log.warn({ err: error.message }, 'database connection lost'),
  })
  const { adminUrl, ingressUrl } = addressesOf(config)
  backlogMetrics(watched, { backlog: () => backlog(db), stuck: () => stuckInvocations(adminUrl) })
  scheduleMetrics(watched, { schedules: createSchedulesClient(ingressUrl), paused: () => pausedTasks(adminUrl) })
  return () => db.destroy()
}
