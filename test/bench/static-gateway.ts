import { pino } from 'pino'
import { TopResponse } from '../../src/contract/popularity.ts'
import { createGateway } from '../../src/gateway/server.ts'
import { readConfig } from '../../src/main/config.ts'
import { recorder } from '../../src/main/recorder.ts'
import { untilTold } from '../../src/main/until-told.ts'
import { connect } from '../../src/store/database.ts'
import { topByScore } from '../../src/store/product-popularity.ts'

/**
 * The gateway with one more page: the top list as it was at the start, for ever. It costs what any answer of this size
 * costs here (HTTP, hooks, log line, serializer) and nothing else, in the same process.
 */
const config = readConfig(process.env)
const db = connect({
  url: config.DATABASE_URL!,
  name: 'bench gateway',
  connectionsMax: config.DATABASE_CONNECTIONS,
  readOnly: true,
})
const gateway = await createGateway({
  db,
  log: pino({ name: 'gateway', level: config.LOG_LEVEL }),
  record: recorder(config.RESTATE_INGRESS_URL!),
  readiness: async () => ({ postgresql: true, restate: true, endpoint: true, registration: true }),
})
const page = await topByScore(db, { limit: 10, after: undefined })
gateway.get('/static', { schema: { hide: true, response: { 200: TopResponse } } }, async () => page)
await gateway.listen({ host: '127.0.0.1', port: config.GATEWAY_PORT })
process.send?.('ready')

await untilTold()
await gateway.close()
await db.destroy()
process.exit(0)
