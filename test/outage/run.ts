import { parseArgs } from 'node:util'
import { connect } from '../../src/store/database/connection.ts'
import { readConfig } from '../../src/main/config/config.ts'
import { retryPolicyOf } from '../../src/main/config/failing.ts'
import { createDatabase, prepareTemplate } from '../harness/servers/database.ts'
import { startGateway } from '../harness/servers/gateway.ts'
import { startTestPostgres } from '../harness/servers/postgres.ts'
import { startStack } from '../harness/servers/stack.ts'
import { startTcpProxy } from '../harness/servers/tcp-proxy.ts'
import { runOutage } from './outage.ts'

/**
 * Takes PostgreSQL away from servers of its own for some minutes, under 100 respond-async requests and 50 calls of a service a second.
 * Prints what came of them, and ends with status 1 when something is lost or wrong, a probe took more than a second, or counting took
 * more than a minute.
 */
const { values } = parseArgs({ options: { minutes: { type: 'string', default: '15' } } })
const ANSWER_MS_MAX = 1_000
const COUNTED_MS_MAX = 60_000

const postgres = await startTestPostgres()
await prepareTemplate(postgres.url)
const database = await createDatabase(postgres.url)
const proxy = await startTcpProxy(database.url)
const proxied = connect({ url: proxy.url, name: 'outage' })
const stack = await startStack(proxied, { retryPolicy: retryPolicyOf(readConfig({})) })
const gateway = await startGateway(proxy.url, stack)
try {
  const report = await runOutage({
    db: database.db,
    proxy,
    gatewayUrl: gateway.url,
    ingressUrl: stack.ingressUrl,
    adminUrl: stack.adminUrl,
    outageMs: Number(values.minutes) * 60_000,
    aroundMs: 5_000,
  })
  console.log(JSON.stringify(report, undefined, 2))
  const { probed, countedAfterMs, lost, recordedThoughRefused, drift } = report
  const isWrong = lost + recordedThoughRefused + drift + probed.failures.length > 0
  process.exitCode = isWrong || probed.msMax > ANSWER_MS_MAX || countedAfterMs > COUNTED_MS_MAX ? 1 : 0
} finally {
  await gateway.stop()
  await stack.stop()
  await proxied.destroy()
  await proxy.cut()
  await database.drop()
  await postgres.stop()
}
