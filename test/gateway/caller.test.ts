import { expect, test } from 'vitest'
import { taskCallerOf } from '../../src/gateway/access/caller.ts'
import { until } from '../../src/main/embedded/until.ts'
import { headOf, rawConnection } from '../harness/clients/raw-request.ts'
import { offlineGateway } from '../harness/servers/offline-gateway.ts'

const GET = 'GET /held HTTP/1.1\r\nhost: localhost\r\n\r\n'
const POST = `${headOf('/held', { 'content-length': 2 })}{}`

test.for([
  ['before its task is', 'GET', GET],
  ['after its task was', 'GET', GET],
  ['before its task is', 'POST', POST],
  ['after its task was', 'POST', POST],
] as const)('a caller that hangs up %s asked for by a %s is seen to be gone', async ([when, method, bytes]) => {
  await using gateway = await offlineGateway()
  const begun = Promise.withResolvers<void>()
  const closed = Promise.withResolvers<void>()
  let signal: AbortSignal | undefined
  gateway.app.route({
    method,
    url: '/held',
    handler: async (request) => {
      const caller = taskCallerOf(request)
      if (when === 'after its task was') signal = caller.signal
      request.raw.socket.once('close', closed.resolve)
      begun.resolve()
      await closed.promise
      signal = caller.signal
    },
  })
  const { send, socket } = await rawConnection(await gateway.listen())
  await send(bytes)
  await begun.promise
  expect(signal?.aborted ?? false).toBe(false)
  socket.destroy()
  expect(await until(async () => signal?.aborted ?? false, 10_000)).toBe(true)
})
