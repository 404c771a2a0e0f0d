import cluster from 'node:cluster'
import { createSchedulesClient } from '../ingress/schedules-client.ts'
import { deliveryBacklog } from '../store/alerts/delivery.ts'
import { backlog } from '../store/log/backlog.ts'
import { connect } from '../store/database/connection.ts'
import { timelineState } from '../store/log/timeline.ts'
import { waitingDeltas } from '../store/metrics/waiting-deltas.ts'
import { latestVerification } from '../store/proof/run-list.ts'
import { readConfig } from './config/config.ts'
import { adminUrlOf } from './config/addresses.ts'
import { pausedTasks, stuckInvocations, waitingInRecorders } from './embedded/restate-queries.ts'
import { checkEndpoint, startEndpointProcess } from './endpoint/endpoint-process.ts'
import { alertDeliveryMetrics } from './metrics/alert-deliveries.ts'
import { backlogMetrics } from './metrics/backlog.ts'
import { metricsOfAll, sharedRegistry, shareMetrics } from './metrics/processes.ts'
import { createRegistry, type Registry } from './metrics/registry.ts'
import { scheduleMetrics } from './metrics/schedules.ts'
import { serveMetrics } from './metrics/serve.ts'
import { timelineMetrics } from './metrics/timeline.ts'
import { verificationMetrics } from './metrics/verification.ts'
import { createLog } from './log.ts'
import { databaseUrlOf } from './database/database-url.ts'
import { ingressOf } from './ingress.ts'
import { keepProcesses, type KeptProcesses, READY } from './processes/keep-processes.ts'
import { waitForShutdown } from './shutdown-signal.ts'

const BACKLOG_MS_MAX = 3_000
/** More than the 15 s of draining and 1 s of closing of a process. */
const STOP_MS_MAX = 18_000

/** The service endpoint: this process, or several that share its port. Its metrics cover all of them. */
const config = readConfig(process.env)
const log = createLog('endpoint', config.LOG_LEVEL)
const shutdown = waitForShutdown()

if (cluster.isWorker) {
  const registry = createRegistry()
  shareMetrics(registry)
  const stop = await startEndpointProcess(config, registry, log)
  process.send?.(READY)
  await shutdown
  await stop()
} else {
  const adminUrl = adminUrlOf(config)
  const isAlone = config.ENDPOINT_PROCESSES === 1
  const registry = isAlone ? createRegistry() : sharedRegistry()
  // Once here, so that each process need not report the same problem.
  if (!isAlone) await checkEndpoint(config)
  const several = { name: 'endpoint', count: config.ENDPOINT_PROCESSES, stopMsMax: STOP_MS_MAX, log }
  const kept = await (isAlone ? startAlone(registry) : Promise.race([keepProcesses(several), shutdown]))
  if (kept === undefined) process.exit(1)
  const stopWatching = await watchBacklog(registry, adminUrl)
  const metrics = await serveMetrics(isAlone ? registry : metricsOfAll(registry), {
    host: config.ENDPOINT_HOST,
    port: config.ENDPOINT_METRICS_PORT,
    isHealthy: kept.isServing,
  })
  process.send?.(READY)
  await shutdown
  metrics.close()
  await Promise.all([kept.stop(), stopWatching()])
}
process.exit(0)

async function startAlone(registry: Registry): Promise<KeptProcesses> {
  return { stop: await startEndpointProcess(config, registry, log), isServing: () => true }
}

/** Measures what every process would answer alike. @returns a function that stops it. */
async function watchBacklog(shared: Registry, adminUrl: string): Promise<() => Promise<void>> {
  // A connection of its own, because operators look at the backlog when all other connections are busy.
  const db = connect({
    url: await databaseUrlOf(config),
    name: 'footfall metrics',
    connectionsMax: 1,
    readOnly: true,
    statementMsMax: BACKLOG_MS_MAX,
    onConnectionLost: (error) => log.warn({ err: error.message }, 'database connection lost'),
  })
  backlogMetrics(shared, {
    backlog: () => backlog(db),
    deltas: () => waitingDeltas(db),
    stuck: () => stuckInvocations(adminUrl),
    recorders: () => waitingInRecorders(adminUrl),
  })
  alertDeliveryMetrics(shared, () => deliveryBacklog(db))
  verificationMetrics(shared, () => latestVerification(db))
  timelineMetrics(shared, () => timelineState(db))
  scheduleMetrics(shared, {
    schedules: createSchedulesClient(ingressOf(config)),
    paused: () => pausedTasks(adminUrl),
  })
  return () => db.destroy()
}
