import { once } from 'node:events'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import { createIngress } from '../../src/ingress/clients.ts'
import { isRestateUp } from '../../src/main/embedded/restate.ts'
import { createReadiness } from '../../src/main/readiness.ts'
import { register } from '../../src/main/release/deployments.ts'
import { restateTest } from '../harness/fixtures.ts'
import { startTestRestate } from '../harness/servers/restate.ts'
import { query } from '../harness/servers/stack.ts'
import { startTcpProxy } from '../harness/servers/tcp-proxy.ts'

/** What the stand-in does with a call: passes it on, takes it and never answers, or answers with a status. */
let calls: 'pass' | 'hang' | number = 'pass'
let pings = 0

const test = restateTest
  /** Restate's ingress, whose health is always that of the server behind it. */
  .extend('ingressUrl', { scope: 'file' }, async ({ stack }, { onCleanup }) => {
    const server = createServer((incoming, outgoing) => {
      if (incoming.url !== '/restate/health') {
        pings++
        if (calls === 'hang') return
        if (calls !== 'pass') {
          outgoing.writeHead(calls).end('{}')
          return
        }
      }
      const { method, headers } = incoming
      const passed = request(`${stack.ingressUrl}${incoming.url}`, { method: method!, headers }, (answer) => {
        outgoing.writeHead(answer.statusCode!, answer.headers)
        answer.pipe(outgoing)
      })
      incoming.pipe(passed)
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    onCleanup(async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    })
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  })
  .extend('sources', { scope: 'file' }, ({ database, stack, ingressUrl }) => {
    const { adminUrl, endpointUrl } = stack
    return { databaseUrl: database.url, ingress: createIngress({ url: ingressUrl }), ingressUrl, adminUrl, endpointUrl }
  })

// A Restate in a container has the endpoint at an address that only containers reach.
test.beforeEach(({ skip }) => skip(process.env['TEST_SERVERS'] === 'containers'))
test.afterEach(() => {
  calls = 'pass'
})

type Sources = Parameters<typeof createReadiness>[0]

const READY = { postgresql: true, restate: true, endpoint: true, registration: true }
/** Far more than the 2 s that each part gets, and far less than their sum. */
const IN_TIME_MS = 5_000

/** Expects what a probe finds, within its time. A busy machine may need a second probe. */
async function expectReadiness(sources: Sources, expected: object): Promise<void> {
  const probe = () => Promise.race([createReadiness(sources)(), sleep(IN_TIME_MS, 'no answer in time', { ref: false })])
  let found = await probe()
  for (let attempt = 1; attempt < 5 && !isMatch(found, expected); attempt++) found = await probe()
  expect(found).toMatchObject(expected)
}

const isMatch = (found: unknown, expected: object) =>
  Object.entries(expected).every(([part, is]) => (found as Record<string, unknown>)[part] === is)

test('a system that works is ready, and its probe leaves nothing behind', async ({ sources, stack }) => {
  await expectReadiness(sources, READY)
  expect(await query(stack, "select id from sys_invocation where target_handler_name = 'Ping'")).toEqual([])
})

test.for(['hang', 503, 500] as const)(
  'Restate is missing when it is healthy and its calls end in: %s',
  async (how, { sources }) => {
    calls = how
    expect(await isRestateUp({ ingress: sources.ingressUrl, admin: sources.adminUrl })).toBe(true)
    await expectReadiness(sources, { ...READY, restate: false })
  },
)

test('a Restate that does not know the call yet, because the release before is registered, is not missing', async ({
  sources,
}) => {
  calls = 404
  await expectReadiness(sources, READY)
})

test('probes at the same moment share one call', async ({ sources }) => {
  const [before, readiness] = [pings, createReadiness(sources)]
  calls = 'hang'
  await Promise.all([readiness(), readiness(), readiness()])
  expect(pings).toBe(before + 1)
})

test('Restate and the registration are missing when its ports accept connections and answer nothing', async ({
  sources,
  stack,
}) => {
  const [ingress, admin] = [await startTcpProxy(stack.ingressUrl), await startTcpProxy(stack.adminUrl)]
  const urlOf = ({ url }: { url: string }) => url.replace(/\/$/, '')
  const changes = { ingress: createIngress({ url: urlOf(ingress) }), ingressUrl: urlOf(ingress), adminUrl: urlOf(admin) }
  await expectReadiness({ ...sources, ...changes }, READY)
  ingress.hold()
  admin.hold()
  await expectReadiness({ ...sources, ...changes }, { ...READY, restate: false, registration: false, paused_tasks: null })
  await Promise.all([ingress.cut(), admin.cut()])
})

test('an admin port that is silent does not hide a registration that a call shows', async ({ sources, onTestFinished }) => {
  const admin = createServer((incoming, outgoing) => {
    if (incoming.url === '/health') outgoing.end()
  }).listen(0, '127.0.0.1')
  onTestFinished(() => {
    admin.closeAllConnections()
    admin.close()
  })
  await once(admin, 'listening')
  const adminUrl = `http://127.0.0.1:${(admin.address() as AddressInfo).port}`
  await expectReadiness({ ...sources, adminUrl }, { ...READY, paused_tasks: null })
  calls = 'hang'
  await expectReadiness({ ...sources, adminUrl }, { ...READY, restate: true, registration: false })
})

test('the endpoint is missing, and not Restate, when it hangs and when it is gone', async ({
  sources,
  stack,
  onTestFinished,
}) => {
  const endpoint = await startTcpProxy(stack.endpointUrl)
  onTestFinished(() => register(stack.adminUrl, stack.endpointUrl, { isForced: true }))
  await register(stack.adminUrl, endpoint.url, { isForced: true })
  await expectReadiness(sources, READY)
  endpoint.hold()
  await expectReadiness(sources, { ...READY, endpoint: false })
  await endpoint.cut()
  await expectReadiness(sources, { ...READY, endpoint: false })
})

test('PostgreSQL alone is missing when it answers nothing', async ({ sources }) => {
  const postgres = await startTcpProxy(sources.databaseUrl)
  postgres.hold()
  await expectReadiness({ ...sources, databaseUrl: postgres.url }, { ...READY, postgresql: false })
  await postgres.cut()
})

test('without the admin port a call that does nothing shows what is missing', async ({ sources }) => {
  const withoutAdmin = { ...sources, adminUrl: undefined }
  await expectReadiness(withoutAdmin, { ...READY, paused_tasks: null })
  calls = 'hang'
  await expectReadiness(withoutAdmin, { ...READY, endpoint: false })
  calls = 404
  await expectReadiness(withoutAdmin, { ...READY, registration: false })
  const nowhere = 'http://127.0.0.1:1'
  await expectReadiness(
    { ...withoutAdmin, ingress: createIngress({ url: nowhere }), ingressUrl: nowhere },
    { postgresql: true, restate: false },
  )
})

test('the registration alone is missing before the first registration', async ({ sources }) => {
  const { adminUrl, ingressUrl, stop } = await startTestRestate()
  const changes = { ingress: createIngress({ url: ingressUrl }), ingressUrl, adminUrl }
  await expectReadiness({ ...sources, ...changes }, { ...READY, registration: false })
  await stop()
})
