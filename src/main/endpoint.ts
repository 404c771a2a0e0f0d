import { pino } from 'pino'
import { connect } from '../store/database.ts'
import { readConfig } from './config.ts'
import { databaseUrlOf } from './reach.ts'
import { serveEndpoint } from './serve-endpoint.ts'
import { untilTold } from './until-told.ts'

/** The process that runs the services for Restate. */
const config = readConfig(process.env)
const log = pino({ name: 'endpoint', level: config.LOG_LEVEL })
const url = await databaseUrlOf(config)
const pool = (name: string) =>
  connect({
    url,
    name,
    connectionsMax: config.DATABASE_CONNECTIONS,
    onConnectionLost: (error) => log.warn({ err: error.message }, 'database connection lost'),
  })
const db = pool('footfall endpoint')
const background = pool('footfall background')
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
    reached: () => undefined,
  },
  { host: '127.0.0.1', port: config.ENDPOINT_PORT, log },
)
process.send?.('ready')
log.info({ port: config.ENDPOINT_PORT }, 'endpoint listens')

await untilTold()
server.close()
await Promise.all([db.destroy(), background.destroy()])
log.info('endpoint stopped')
process.exit(0)
