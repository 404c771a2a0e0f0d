import { EventEmitter } from 'node:events'
import { createServer } from 'node:http'
import { expect, test } from 'vitest'
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

test.for([
  { isBehindProxy: false, before: 32, what: 'address waits for those before it' },
  { isBehindProxy: true, before: 16, what: 'proxy leaves a share to each connection' },
])('of many requests at once the one $what', ({ isBehindProxy, before }) => {
  const server = createServer()
  const begun: string[] = []
  server.on('request', ({ url }) => void begun.push(url!))
  boundPipelining(server, { isBehindProxy })
  const connection = () => ({ remoteAddress: '127.0.0.1', destroyed: false })
  const flooding = [1, 2, 3, 4].map(connection)
  for (const socket of flooding) for (let n = 0; n < 8; n++) server.emit('request', { url: '/flood', socket }, new EventEmitter())
  server.emit('request', { url: '/other', socket: connection() }, new EventEmitter())
  return until(async () => begun.length === 33, 10_000).then(() => expect(begun.indexOf('/other')).toBe(before))
})
