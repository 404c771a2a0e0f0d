import * as clients from '@restatedev/restate-sdk-clients'
import { pino } from 'pino'
import { randomUUID } from 'node:crypto'
import { analyticApi } from '../contract/services.ts'
import { createGateway } from '../gateway/server.ts'
import { connect } from '../store/database.ts'
import { addressesOf, readConfig } from './config.ts'
import { answers } from './embedded/postgres.ts'
import { isRestateUp, registeredServices } from './embedded/restate.ts'
import { databaseUrlOf } from './reach.ts'
import { untilTold } from './until-told.ts'

const RECORD_MS_MAX = 10_000
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
const analytic = clients.connect({ url: ingressUrl, retry: true }).client(analyticApi)

const gateway = await createGateway({
  db,
  log,
  // The key makes the client's own retries safe: Restate runs the call once.
  record: (request) =>
    analytic.CreateInteraction(request, clients.rpc.opts({ idempotencyKey: randomUUID(), timeout: RECORD_MS_MAX })),
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
