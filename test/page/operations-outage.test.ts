import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { expect, test } from 'vitest'
import { stock } from '../../src/gateway/views/stock.ts'
import type { PageApi } from '../../src/gateway/page/page-api.ts'
import { createIngress } from '../../src/ingress/clients.ts'
import { listStuck } from '../../src/main/embedded/stuck-invocations.ts'
import { offlineGateway } from '../harness/servers/offline-gateway.ts'
import { wordsOf } from '../harness/items/page-words.ts'

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
    ingress: createIngress({ url: restate.url }),
    stuckInvocations: () => listStuck(restate.url),
    readiness: async () => ({ ...READY, restate: false }),
  })
  const { statusCode, body } = await gateway.app.inject({ url: '/operations', headers: HOST })
  expect(statusCode).toBe(200)
  const words = wordsOf(body)
  expect(words).toContain('Invocations that fail Restate does not answer; try again.')
  expect(words).toContain('Schedules Restate does not answer; try again.')
  expect(words).toContain('Restate does not answer Service endpoint ready')
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
