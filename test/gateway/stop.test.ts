import { expect, onTestFinished, test, vi } from 'vitest'
import { until } from '../../src/main/embedded/until.ts'
import { headOf, rawConnection, statusesIn } from '../harness/clients/raw-request.ts'
import { offlineGateway } from '../harness/servers/offline-gateway.ts'

const MEBIBYTE = 1024 * 1024

/** Resolves when no connection is open any more; nothing else closes them. */
const stop = ({ app }: Awaited<ReturnType<typeof offlineGateway>>) => app.close()

test('a stop closes connections that have sent nothing', async () => {
  await using gateway = await offlineGateway()
  const port = await gateway.listen()
  const silent = await Promise.all([rawConnection(port), rawConnection(port)])
  await connected(gateway, 2)
  await stop(gateway)
  expect(await Promise.all(silent.map(({ closed }) => closed()))).toEqual(['', ''])
})

test.for([
  ['whose length was declared', { 'content-length': 17 * MEBIBYTE }],
  ['without a length', { 'transfer-encoding': 'chunked' }],
  ['that the sender was not asked for', { 'content-length': 17 * MEBIBYTE, expect: '100-continue' }],
] as const)('a stop closes a connection that drops a refused body %s, after its answer', async ([_name, headers]) => {
  await using gateway = await offlineGateway()
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  onTestFinished(() => void vi.useRealTimers())
  // After the hooks of the gateway. Left alone, the rest would be dropped for 5 s.
  gateway.app.addHook('preClose', async () => void vi.advanceTimersByTime(1_000))
  const { send, received, closed } = await rawConnection(await gateway.listen())
  await send(headOf('/api/v1/nowhere', headers))
  expect(await until(async () => statusesIn(received()).length > 0, 10_000)).toBe(true)
  await stop(gateway)
  expect(statusesIn(await closed())).toEqual([404])
})

test('a request that is being answered is answered before its connection is closed', async () => {
  await using gateway = await offlineGateway()
  const asked = Promise.withResolvers<void>()
  const answer = Promise.withResolvers<string>()
  gateway.app.get('/held', () => {
    asked.resolve()
    return answer.promise
  })
  const { send, closed } = await rawConnection(await gateway.listen())
  await send('GET /held HTTP/1.1\r\nhost: localhost\r\n\r\n')
  await asked.promise
  const stopped = stop(gateway)
  answer.resolve('done')
  await stopped
  expect(statusesIn(await closed())).toEqual([200])
})

async function connected({ app }: Awaited<ReturnType<typeof offlineGateway>>, count: number): Promise<void> {
  const open = () => new Promise<number>((resolve) => app.server.getConnections((_error, n) => resolve(n)))
  expect(await until(async () => (await open()) === count, 10_000)).toBe(true)
}
