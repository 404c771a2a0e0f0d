import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished } from 'vitest'
import { runCommandProcess } from '../harness/programs/command-process.ts'
import { prepareDatabase } from '../harness/servers/database.ts'
import type { FailoverShop } from '../harness/servers/failover-shop.ts'
import { startTestRestate } from '../harness/servers/restate.ts'
import { startTcpProxy } from '../harness/servers/tcp-proxy.ts'

/** Runs `reconcile` with each mistake and each outage, and expects what it says about it. */
export async function expectSentences(shop: FailoverShop): Promise<void> {
  const { environment, standby, stack } = shop
  const at = (database: string) => standby.url.replace(/[^/]*$/, database)
  const otherShop = await prepareDatabase(standby.url, 'other')
  const empty = await startTestRestate()
  onTestFinished(empty.stop)
  const runs: [args: string[], changes: Record<string, string>, sentence: string][] = [
    [['--from', 'the old one'], {}, '--from is one address of a PostgreSQL'],
    [['--from', at('footfall')], {}, 'The database at --from is that of DATABASE_URL itself'],
    [['--from', otherShop], {}, 'The database at --from is that of another shop'],
    [['--from', at('postgres')], {}, 'The database at --from has no tables of Footfall'],
    [['--from', at('nothing')], {}, 'The PostgreSQL at --from refuses the login'],
    [['--from', 'postgres://postgres@127.0.0.1:9/footfall'], {}, 'PostgreSQL does not answer at the address of --from'],
    [[], { RESTATE_ADMIN_URL: 'http://127.0.0.1:9' }, 'The admin port of Restate does not answer at http://127.0.0.1:9'],
    [[], { RESTATE_ADMIN_URL: stack.ingressUrl }, 'Is RESTATE_ADMIN_URL the admin port of Restate?'],
    [[], { RESTATE_INGRESS_URL: empty.ingressUrl, RESTATE_ADMIN_URL: empty.adminUrl }, 'Restate remembers no call since'],
    [[], await addressesThatBreak(shop), 'PostgreSQL stopped answering at DATABASE_URL'],
  ]
  for (const [args, changes, sentence] of runs) {
    const { code, output } = await runCommandProcess(['reconcile', ...args], { ...environment, ...changes })
    expect([sentence, code, output]).toEqual([sentence, args[1] === 'the old one' ? 2 : 1, expect.stringContaining(sentence)])
    expect(output).not.toMatch(/^ +at /m)
  }
}

/** PostgreSQL goes away when Restate is asked for the first time. */
async function addressesThatBreak({ standby, stack }: FailoverShop): Promise<Record<string, string>> {
  const database = await startTcpProxy(standby.url.replace(/[^/]*$/, 'footfall'))
  let cutting: Promise<void> | undefined
  const pass = async (request: IncomingMessage, response: ServerResponse) => {
    const body = Buffer.concat(await request.toArray())
    cutting ??= database.cut()
    await cutting
    const headers = { 'content-type': 'application/json', accept: 'application/json' }
    const answer = await fetch(`${stack.adminUrl}${request.url}`, { method: 'POST', headers, body })
    response.writeHead(answer.status).end(await answer.text())
  }
  const admin = createServer((request, response) => void pass(request, response)).listen(0, '127.0.0.1')
  await once(admin, 'listening')
  onTestFinished(() => {
    admin.close()
    admin.closeAllConnections()
  })
  return { DATABASE_URL: database.url, RESTATE_ADMIN_URL: `http://127.0.0.1:${(admin.address() as AddressInfo).port}` }
}
