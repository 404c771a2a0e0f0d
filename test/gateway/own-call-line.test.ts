import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { createIngress } from '../../src/ingress/clients.ts'
import { until } from '../../src/main/embedded/until.ts'
import { headOf, rawConnection } from '../harness/clients/raw-request.ts'
import { offlineGateway } from '../harness/servers/offline-gateway.ts'

/** As many calls as one caller may have at the same time when no other sends. */
const CALLS_MAX = 48
const BODY = JSON.stringify({ interactions: [{ session_id: 's', event_type: 'view', ref_type: 'Product', ref_id: 'lamp' }] })

/** A Restate that answers when the test wants. */
async function heldIngress() {
  const keys: unknown[] = []
  const held: ServerResponse[] = []
  let isHeld = true
  const refuse = (response: ServerResponse) => response.writeHead(400).end('{"message":"refused"}')
  const server = createServer((request, response) => {
    request.resume()
    keys.push(request.headers['idempotency-key'])
    if (isHeld) held.push(response)
    else refuse(response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    keys,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    release: () => {
      isHeld = false
      held.forEach(refuse)
    },
    [Symbol.dispose]: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}

test('a request with an Idempotency-Key whose client hung up in the line is never sent to Restate', async () => {
  using restate = await heldIngress()
  await using gateway = await offlineGateway({ ingress: createIngress({ url: restate.url }) })
  let arrived = 0
  gateway.app.addHook('preHandler', async () => void arrived++)
  const port = await gateway.listen()
  const send = async (key: string) => {
    const connection = await rawConnection(port)
    await connection.send(
      `${headOf('/api/v1/analytic/interaction', { 'content-length': BODY.length, 'idempotency-key': key })}${BODY}`,
    )
    return connection
  }
  for (let n = 0; n < CALLS_MAX; n++) await send(`begun ${n}`)
  expect(await until(async () => restate.keys.length === CALLS_MAX, 10_000)).toBe(true)
  const gone = await Promise.all(['gone 1', 'gone 2'].map(send))
  const last = await send('last')
  expect(await until(async () => arrived === CALLS_MAX + 3, 10_000)).toBe(true)
  for (const { socket } of gone) socket.destroy()
  const open = () => new Promise<number>((resolve) => gateway.app.server.getConnections((_error, count) => resolve(count)))
  expect(await until(async () => (await open()) === CALLS_MAX + 1, 10_000)).toBe(true)
  restate.release()
  expect(await until(async () => last.received() !== '', 10_000)).toBe(true)
  expect(restate.keys.slice(CALLS_MAX)).toEqual([expect.stringContaining('last')])
})
