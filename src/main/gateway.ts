import { pino } from 'pino'
import { createGateway } from '../gateway/server.ts'
import { connect } from '../store/database.ts'
import { addressesOf, readConfig } from './config.ts'
import { answers } from './embedded/postgres.ts'
import { isRestateUp, registeredServices } from './embedded/restate.ts'
import { databaseUrlOf } from './reach.ts'
import { recorder } from './recorder.ts'
import { untilTold } from './until-told.ts'

const READ_MS_MAX = 10_000

/** The process that speaks HTTP with everybody else. */
const config = readConfig(process.env)
const log = pino({ name: 'gateway', level: config.LOG_LEVEL })
const databaseUrl = await databaseUrlOf(config)
const { ingressUrl, adminUrl } = addressesOf(config)
const db = connect({
  url: databaseUrl,
  name: 'footfall gateway',
  connectionsMax: config.DATABASE_CONNECTIONS,
  readOnly: true,
  statementMsMax: READ_MS_MAX,
  onConnectionLost: (error) => log.warn({ err: error.message }, 'database connection lost'),
})

const gateway = await createGateway({
  db,
  log,
  record: recorder(ingressUrl),
  readiness: async () => {
    const [postgresql, restate, registration] = await Promise.all([
      answers(databaseUrl),
      isRestateUp({ ingress: ingressUrl, admin: adminUrl }),
      registeredServices(adminUrl).then(
        (names) => names.includes('Analytic') && names.includes('Popularity') && names.includes('Catalog'),
        () => false,
      ),
    ])
    return { postgresql, restate, registration }
  },
})
await gateway.listen({ host: '127.0.0.1', port: config.GATEWAY_PORT })
process.send?.('ready')

await untilTold()
await gateway.close()
await db.destroy()
log.info('gateway stopped')
process.exit(0)
