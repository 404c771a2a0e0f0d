import { pino } from 'pino'
import { createGateway } from '../gateway/server.ts'
import { connect } from '../store/database.ts'
import { addressesOf, readConfig } from './config.ts'
import { answers } from './embedded/postgres.ts'
import { isListening } from './embedded/process.ts'
import { areRegistered, isRestateUp } from './embedded/restate.ts'
import { gatewayMetrics, watchQueue } from './metrics/gateway.ts'
import { poolMetrics } from './metrics/pools.ts'
import { createRegistry } from './metrics/registry.ts'
import { databaseUrlOf } from './reach.ts'
import { recorder } from './recorder.ts'
import { startTracing } from './tracing/start.ts'
import { untilTold } from './until-told.ts'

const READ_MS_MAX = 10_000

/** The process that speaks HTTP with everybody else. */
const config = readConfig(process.env)
const log = pino({ name: 'gateway', level: config.LOG_LEVEL })
const onTraceProblem = (error: unknown) => log.warn({ err: error }, 'traces not sent')
const tracing = await startTracing(config, 'footfall-gateway', onTraceProblem)
const registry = createRegistry()
const databaseUrl = await databaseUrlOf(config)
const { ingressUrl, adminUrl, endpointUrl } = addressesOf(config)
const db = connect({
  url: databaseUrl,
  name: 'footfall gateway',
  connectionsMax: config.DATABASE_CONNECTIONS,
  readOnly: true,
  statementMsMax: READ_MS_MAX,
  onConnectionLost: (error) => log.warn({ err: error.message }, 'database connection lost'),
  observer: { ...poolMetrics(registry)('reading'), ...tracing.store },
})
const nothingWaits = { requests: 0, events: 0, bytes: 0, flushes: 0 }
watchQueue(registry, { length: () => nothingWaits, eventsMax: 0, bytesMax: 0 })

const gateway = await createGateway({
  db,
  log,
  observer: gatewayMetrics(registry),
  metrics: () => registry.metrics(),
  isTraced: tracing.isOn,
  record: recorder(ingressUrl),
  readiness: async () => {
    const [postgresql, restate, endpoint, registration] = await Promise.all([
      answers(databaseUrl),
      isRestateUp({ ingress: ingressUrl, admin: adminUrl }),
      isListening(endpointUrl),
      areRegistered(adminUrl, ['Analytic', 'Popularity', 'Catalog', 'Schedule']),
    ])
    return { postgresql, restate, endpoint, registration }
  },
})
await gateway.listen({ host: '127.0.0.1', port: config.GATEWAY_PORT })
process.send?.('ready')

await untilTold()
await gateway.close()
await Promise.all([db.destroy(), tracing.stop()])
log.info('gateway stopped')
process.exit(0)
