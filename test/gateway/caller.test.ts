import { expect, test } from 'vitest'
import { taskCallerOf } from '../../src/gateway/access/caller.ts'
import { until } from '../../src/main/embedded/until.ts'
import { rawConnection } from '../harness/clients/raw-request.ts'
import { offlineGateway } from '../harness/servers/offline-gateway.ts'

test.for(['before its read is asked for', 'after it'])('a caller that hangs up %s is seen to be gone', async (when) => {
  await using gateway = await offlineGateway()
  const begun = Promise.withResolvers<void>()
  const closed = Promise.withResolvers<void>()
  let signal: AbortSignal | undefined
  gateway.app.get('/held', async (request) => {
    const reader = taskCallerOf(request)
    if (when === 'after it') signal = reader.signal
    request.raw.once('close', closed.resolve)
    begun.resolve()
    await closed.promise
    signal = reader.signal
  })
  const { send, socket } = await rawConnection(await gateway.listen())
  await send('GET /held HTTP/1.1\r\nhost: localhost\r\n\r\n')
  await begun.promise
  socket.destroy()
  expect(await until(async () => signal?.aborted ?? false, 10_000)).toBe(true)
})
