import cluster from 'node:cluster'
import { readConfig } from './config/config.ts'
import { ownState, keepSharedState, stateOfPrimary } from './gateway/shared-state.ts'
import { createLog } from './log.ts'
import { sharedRegistry, shareMetrics } from './metrics/processes.ts'
import { createRegistry } from './metrics/registry.ts'
import { keepProcesses, READY } from './processes/keep-processes.ts'
import { requireFreePort } from './processes/shared-port.ts'
import { waitForShutdown } from './shutdown-signal.ts'

/** More than the 8 s after which a process cuts off requests that trickle in, and what it stops afterwards. */
const STOP_MS_MAX = 12_000

/** The gateway: this process, or several that share its port. Then this one keeps what they share: rates, live events and metrics. */
const config = readConfig(process.env)
const log = createLog('gateway', config.LOG_LEVEL)
const shutdown = waitForShutdown()

if (cluster.isPrimary && config.GATEWAY_PROCESSES > 1) {
  await requireFreePort({ host: config.GATEWAY_HOST, port: config.GATEWAY_PORT })
  keepSharedState(config, sharedRegistry())
  const several = { name: 'gateway', count: config.GATEWAY_PROCESSES, stopMsMax: STOP_MS_MAX, log }
  const kept = await Promise.race([keepProcesses(several), shutdown])
  if (kept === undefined) process.exit(1)
  process.send?.(READY)
  await shutdown
  await kept.stop()
} else {
  const registry = createRegistry()
  if (cluster.isWorker) shareMetrics(registry)
  const shared = cluster.isWorker ? stateOfPrimary() : ownState(config, registry)
  // Not loaded by the primary of several, which then takes less memory.
  const { startGatewayProcess } = await import('./gateway-process.ts')
  const stop = await startGatewayProcess(config, { registry, shared, log })
  process.send?.(READY)
  await shutdown
  await stop()
}
process.exit(0)
