import { EventEmitter } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { noteCaller } from '../../src/gateway/http/connection-callers.ts'
import { createFreeProbes } from '../../src/gateway/http/free-probes.ts'
import { boundPipelining } from '../../src/gateway/http/pipelining.ts'
import { until } from '../../src/main/embedded/until.ts'
import { rawConnection, statusesIn } from '../harness/clients/raw-request.ts'
import { offlineGateway } from '../harness/servers/offline-gateway.ts'

const get = (path: string) => `GET ${path} HTTP/1.1\r\nhost: localhost\r\n\r\n`

test('requests that are sent ahead are answered in their order', async () => {
  await using gateway = await offlineGateway()
  const { send, received } = await rawConnection(await gateway.listen())
  await send([...Array.from({ length: 16 }, (_, index) => get(index % 2 === 0 ? '/health' : '/none'))].join(''))
  expect(await until(async () => statusesIn(received()).length === 16, 10_000)).toBe(true)
  expect(statusesIn(received())).toEqual(Array.from({ length: 16 }, (_, index) => (index % 2 === 0 ? 200 : 404)))
})

test('a client that sends hundreds of requests ahead is cut off, and others are answered', async () => {
  await using gateway = await offlineGateway()
  const port = await gateway.listen()
  const flood = await rawConnection(port)
  await flood.send(get('/openapi.json').repeat(300))
  expect(statusesIn(await flood.closed()).length).toBeLessThan(300)
  const other = await rawConnection(port)
  await other.send(get('/health'))
  expect(await until(async () => statusesIn(other.received()).length === 1, 10_000)).toBe(true)
})

/** A server whose requests are events, and what of them begins. */
function countingServer(isBehindProxy: boolean) {
  const server = createServer()
  const begun: string[] = []
  server.on('request', ({ url }) => void begun.push(url!))
  boundPipelining(server, { isBehindProxy })
  const connectionFrom = (remoteAddress: string) => ({ remoteAddress, destroyed: false }) as Socket
  const send = (socket: Socket, url: string, headers: string[] = []) =>
    void server.emit('request', { url, socket, headers: {}, rawHeaders: headers }, new EventEmitter())
  return { begun, connectionFrom, send, allBegun: (count: number) => until(async () => begun.length === count, 10_000) }
}

const [CLIENT, OTHER_CLIENT] = ['127.0.0.1', '127.0.0.2']

test.for([
  { isBehindProxy: false, before: 8, what: 'connections of an address take turns' },
  { isBehindProxy: true, before: 7, what: 'those of a proxy too, with a share each' },
])('of many requests at once $what', async ({ isBehindProxy, before }) => {
  const { begun, connectionFrom, send, allBegun } = countingServer(isBehindProxy)
  const flooding = [1, 2, 3, 4].map(() => connectionFrom(CLIENT))
  for (const socket of flooding) for (let n = 0; n < 8; n++) send(socket, '/flood')
  send(connectionFrom(CLIENT), '/other')
  await allBegun(33)
  expect(begun.indexOf('/other')).toBe(before)
})

test('next to another address a flood begins one request in a turn of the event loop', async () => {
  const { begun, connectionFrom, send } = countingServer(false)
  send(connectionFrom(OTHER_CLIENT), '/other')
  const flooding = [1, 2, 3, 4].map(() => connectionFrom(CLIENT))
  for (const socket of flooding) for (let n = 0; n < 8; n++) send(socket, '/flood')
  expect(begun).toEqual(['/other', '/flood'])
  await turn()
  expect(begun).toEqual(['/other', '/flood', '/flood'])
})

test('the bytes of headers keep the next requests of their address waiting', async () => {
  const { begun, connectionFrom, send } = countingServer(false)
  const [heavy, other] = [connectionFrom(CLIENT), connectionFrom(OTHER_CLIENT)]
  send(other, '/other')
  send(heavy, '/first', ['x-large', 'x'.repeat(16_384)])
  send(connectionFrom(CLIENT), '/second')
  for (let turns = 0; turns < 7; turns++) {
    await turn()
    expect(begun).toEqual(['/other', '/first'])
  }
  send(other, '/again')
  await turn()
  expect(begun).toEqual(['/other', '/first', '/again', '/second'])
})

test('a caller whose key was known waits for itself, and not for the others of its address', () => {
  const { begun, connectionFrom, send } = countingServer(false)
  const known = connectionFrom(CLIENT)
  noteCaller(known, 'key')
  send(known, '/known')
  for (let n = 0; n < 8; n++) send(connectionFrom(CLIENT), '/flood')
  send(connectionFrom(CLIENT), '/flood')
  expect(begun).toEqual(['/known', '/flood'])
  const otherKnown = connectionFrom(CLIENT)
  noteCaller(otherKnown, 'other key')
  send(otherKnown, '/other known')
  expect(begun).toEqual(['/known', '/flood', '/other known'])
})

test('ten probes of a client in a second do not wait, and further ones wait for their address', async () => {
  const { begun, connectionFrom, send, allBegun } = countingServer(false)
  const ofOther = connectionFrom(OTHER_CLIENT)
  send(ofOther, '/other')
  for (let n = 0; n < 30; n++) send(connectionFrom(CLIENT), n % 2 === 0 ? '/health' : '/ready')
  expect(begun).toHaveLength(1 + 10 + 1)
  send(ofOther, '/health')
  expect(begun.at(-1)).toBe('/health')
  expect(begun).toHaveLength(13)
  await allBegun(32)
})

test('all clients together have so many free probes in a second, and more in the next one', () => {
  let ms = 0
  const isFree = createFreeProbes(() => ms)
  const probe = (n: number) => ({ url: '/health', socket: { remoteAddress: `10.0.0.${n}` } }) as IncomingMessage
  const freeOf = (count: number) => Array.from({ length: count }, (_, n) => isFree(probe(n % 250))).filter(Boolean).length
  expect(freeOf(1_000)).toBe(200)
  ms = 999
  expect(freeOf(1)).toBe(0)
  ms = 1_000
  expect(freeOf(250)).toBe(200)
})
