import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { fastify } from 'fastify'
import { expect, test } from 'vitest'
import { readAssets } from '../../src/gateway/page/assets.ts'
import { stock } from '../../src/gateway/views/stock.ts'
import type { PageApi } from '../../src/gateway/page/page-api.ts'
import { serveView } from '../../src/gateway/page/serve-view.ts'
import type { PageView } from '../../src/gateway/page/view.ts'
import { html } from '../../src/page/template/html.ts'
import { createIngress } from '../../src/ingress/clients.ts'
import { listStuck } from '../../src/main/embedded/stuck-invocations.ts'
import { offlineGateway } from '../harness/servers/offline-gateway.ts'
import { SECRET_KEY, withKey } from '../harness/items/known-key.ts'
import { wordsOf } from '../harness/items/page-words.ts'

/** Far less than the 2 s that a part of the view waits. */
const DEADLINE_MS = 200
const HOST = { host: 'localhost:3000' }
const READY = { postgresql: true, restate: true, endpoint: true, registration: true, paused_tasks: null }

/** Accepts connections, and answers nothing. */
async function hangingServer() {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => void sockets.add(socket.on('error', () => undefined))).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

test('while Restate hangs, its parts of Operations say so, and the others are shown', async () => {
  await using restate = await hangingServer()
  await using gateway = await offlineGateway({
    ingress: createIngress({ url: restate.url, deadlineMs: DEADLINE_MS }),
    stuckInvocations: () => listStuck(restate.url, DEADLINE_MS),
    readiness: async () => ({ ...READY, restate: false }),
  })
  const ask = () => gateway.app.inject({ url: '/operations', headers: HOST })
  // The first one loads what it needs, which takes longer than a part waits on a busy machine.
  await ask()
  const { statusCode, body } = await ask()
  expect(statusCode).toBe(200)
  const words = wordsOf(body)
  expect(words).toContain('Invocations that fail Restate does not answer; try again.')
  expect(words).toContain('Schedules Restate does not answer; try again.')
  expect(words).toContain('Restate does not answer Service endpoint ready')
})

test.for([
  [{ restate: false, endpoint: false, registration: false }, 'Restate does not answer'],
  [{ endpoint: false }, 'the service endpoint does not answer'],
] as const)('the header of every view says that nothing comes in: %o', async ([missing, reason]) => {
  const readiness = async () => ({ ...READY, ...missing })
  const headerOf = async (key: typeof SECRET_KEY, url: string) => {
    await using gateway = await offlineGateway({ ...withKey(key), readiness })
    const { body } = await gateway.app.inject({ url, headers: { ...HOST, authorization: 'Bearer k' } })
    return /<div id="state".*?<\/div>/s.exec(body)![0]
  }
  const operator = await headerOf({ ...SECRET_KEY, scopes: ['read', 'manage'] }, '/categories')
  expect(operator).toContain(`<a href="/operations">Not ready: ${reason}</a>`)
  const seller = await headerOf({ ...SECRET_KEY, scopes: ['read'], sellerId: 'lumen' }, '/sellers/lumen')
  expect(seller).toContain(`>Not ready: ${reason}</span>`)
})

test.for([
  [{ endpoint: false }, 'the service endpoint does not answer; try again'],
  [{ endpoint: false, registration: false }, 'the services are not registered with Restate; try again'],
  [{ endpoint: false, restate: false }, 'Restate does not answer; try again'],
  [{}, 'Restate does not answer in time; try again'],
] as const)('schedules that cannot be asked name what is missing: %o', async ([missing, message]) => {
  await using gateway = await offlineGateway({ readiness: async () => ({ ...READY, ...missing }) })
  const { statusCode, body } = await gateway.app.inject({ url: '/api/v1/schedules', headers: HOST })
  expect([statusCode, JSON.parse(body)]).toEqual([503, { error: { code: 'unavailable', message } }])
})

test('the view of the stock asks a handful of questions, however many sellers and categories it shows', async () => {
  const asked: string[] = []
  const get = async (path: string) => {
    asked.push(path)
    const rows = Array.from({ length: 20 }, (_, n) => ({ seller_id: `s${n}`, category: `c${n}` }))
    return ['/api/v1/sellers', '/api/v1/catalog/categories'].includes(path)
      ? { data: rows }
      : { error: { code: 'unavailable', message: 'not here' } }
  }
  const request = { params: {}, query: { alert: 'a' }, nowMs: 0, scopes: ['read', 'manage'] as const, sellerId: null }
  await stock.show({ get } as unknown as PageApi, request)
  expect(asked).toHaveLength(7)
  expect(asked).toContain('/api/v1/catalog/metrics/sellers')
})

test('the header of a view is asked for at the same time as its parts, so that the two do not wait one after the other', async () => {
  const header = Promise.withResolvers<void>()
  const get = async () => {
    header.resolve()
    return { error: { code: 'unavailable', message: 'not here' } }
  }
  const view: PageView = {
    ...{ path: '/', label: 'A view', isInHeader: true, access: 'read' },
    show: async () => {
      await header.promise
      return { title: 'A view', body: html`<p>all of it</p>` }
    },
  }
  const app = fastify().decorateRequest('apiKey', null)
  const page = { views: [view], assets: readAssets(), apiOf: () => ({ get }) as unknown as PageApi }
  app.get('/', (request, reply) => serveView(page, view, request, reply))
  expect((await app.inject({ url: '/' })).body).toContain('<p>all of it</p>')
})
