import { randomUUID } from 'node:crypto'
import { createServer, type ServerHttp2Session } from 'node:http2'
import { createEndpointHandler, object, type ObjectContext } from '@restatedev/restate-sdk'
import { pino } from 'pino'
import { expect } from 'vitest'
import { freePorts } from '../../src/main/embedded/ports.ts'
import { queryRestate } from '../../src/main/embedded/restate-queries.ts'
import { until } from '../../src/main/embedded/until.ts'
import { serveEndpoint } from '../../src/main/endpoint/serve-endpoint.ts'
import { register } from '../../src/main/release/deployments.ts'
import type { Database } from '../../src/store/database/connection.ts'
import { eraseNextPart } from '../../src/store/erasure/next-part.ts'
import { findErasure } from '../../src/store/erasure/run-list.ts'
import { beginErasure, requestErasure } from '../../src/store/erasure/run-machine.ts'
import { pgTest as test } from '../harness/fixtures.ts'
import { clear } from '../harness/servers/database.ts'
import { TEST_DEPS } from '../harness/servers/deps.ts'
import { startTestRestate } from '../harness/servers/restate.ts'

test.beforeEach(({ db }) => clear(db))

/** As the release before: its Execute does the work. It stops after the first part. */
function erasureOfBefore(db: Database) {
  let parts = 0
  const eraseFirst = async (id: string) => {
    if (++parts > 1) throw new Error('stopped')
    return eraseNextPart(db, id, TEST_DEPS)
  }
  return object({
    name: 'Erasure',
    handlers: {
      Execute: async (ctx: ObjectContext) => {
        await ctx.run('begin the erasure', async () => (await beginErasure(db, ctx.key)) !== undefined)
        while (await ctx.run('erase the next part', () => eraseFirst(ctx.key)));
      },
    },
    options: { retryPolicy: { initialInterval: 50, maxInterval: 200, maxAttempts: 10_000 } },
  })
}

test(
  'a call that the release before left half-way goes on from its journal, and one that it left waiting goes to a lane',
  { timeout: 90_000 },
  async ({ db, onTestFinished }) => {
    const restate = await startTestRestate()
    onTestFinished(restate.stop)
    const [port] = (await freePorts(1)) as [number]
    const before = createServer(createEndpointHandler({ services: [erasureOfBefore(db)], logger: () => undefined }))
    const sessions = new Set<ServerHttp2Session>()
    before.on('session', (session) => sessions.add(session))
    await new Promise<void>((resolve) => void before.listen(port, restate.endpointHost, resolve))
    const url = restate.urlOfEndpoint(port)
    await register(restate.adminUrl, url, { isForced: true })
    const [halfWay, waiting] = [randomUUID(), randomUUID()]
    for (const id of [halfWay, waiting]) await requestErasure(db, id, { shopper_id: `session:of-${id}`, actor: 'ada' })
    const execute = (id: string) =>
      fetch(`${restate.ingressUrl}/Erasure/${id}/Execute/send`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{}',
      })
    await execute(halfWay)
    expect(await until(async () => (await findErasure(db, halfWay))!.step === 'find', 30_000)).toBe(true)
    before.close()
    for (const session of sessions) session.destroy()
    await execute(waiting)
    const endpoint = await serveEndpoint(
      { ...TEST_DEPS, db, background: db },
      { host: restate.endpointHost, port, log: pino({ level: 'silent' }) },
    )
    onTestFinished(() => endpoint.drain(0))
    await register(restate.adminUrl, url, { isForced: true })
    for (const id of [halfWay, waiting])
      expect(await until(async () => (await findErasure(db, id))!.status === 'completed', 30_000)).toBe(true)
    const open = async () => queryRestate(restate.adminUrl, "select id from sys_invocation where status <> 'completed'")
    expect(await until(async () => (await open()).length === 0, 30_000)).toBe(true)
  },
)
