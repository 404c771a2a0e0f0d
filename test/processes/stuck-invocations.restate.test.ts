import { expect } from 'vitest'
import { listStuck } from '../../src/main/embedded/stuck-invocations.ts'
import { register } from '../../src/main/release/deployments.ts'
import { until } from '../../src/main/embedded/until.ts'
import { restateTest } from '../harness/fixtures.ts'
import { startGateway } from '../harness/servers/gateway.ts'
import { startTcpProxy } from '../harness/servers/tcp-proxy.ts'

const test = restateTest.extend('gateway', { scope: 'file' }, async ({ database, stack }, { onCleanup }) => {
  const gateway = await startGateway(database.url, stack, { stuckInvocations: () => listStuck(stack.adminUrl) })
  onCleanup(gateway.stop)
  return gateway
})

test('a call that cannot reach the endpoint is listed with its target and its error', async ({
  stack,
  gateway,
  onTestFinished,
}) => {
  const ask = async () => (await fetch(`${gateway.url}/api/v1/invocations`)).json()
  expect(await ask()).toEqual({ data: [], meta: { paused: 0, retrying: 0 } })
  const endpoint = await startTcpProxy(stack.endpointUrl)
  onTestFinished(() => register(stack.adminUrl, stack.endpointUrl, { isForced: true }))
  await register(stack.adminUrl, endpoint.url, { isForced: true })
  await endpoint.cut()
  const sent = await fetch(`${stack.ingressUrl}/Popularity/Top/send`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"limit":1}',
  })
  expect(sent.status).toBe(202)
  const isListed = async () => ((await ask()) as { data: unknown[] }).data.length > 0
  expect(await until(isListed, 30_000)).toBe(true)
  expect(await ask()).toEqual({
    data: [
      {
        id: expect.stringMatching(/^inv_/),
        state: 'retrying',
        target: 'Popularity/Top',
        attempts: expect.any(Number),
        since: expect.stringMatching(/Z$/),
        error: expect.stringMatching(/connect/i),
      },
    ],
    meta: { paused: 0, retrying: 1 },
  })
})

test('a gateway that does not know the admin port says so', async ({ database, stack, onTestFinished }) => {
  const other = await startGateway(database.url, stack, { stuckInvocations: undefined })
  onTestFinished(other.stop)
  expect((await fetch(`${other.url}/api/v1/invocations`)).status).toBe(404)
})
