import { expect, test } from 'vitest'
import { offlineGateway } from '../harness/servers/offline-gateway.ts'

test('callers of the same second share one question to Restate, and its answer is kept by no client', async () => {
  let asked = 0
  const stuckInvocations = async () => {
    asked++
    return { data: [], meta: { paused: 0, retrying: asked } }
  }
  await using gateway = await offlineGateway({ stuckInvocations })
  const ask = () => gateway.app.inject({ method: 'GET', url: '/api/v1/invocations', headers: { host: 'localhost:3000' } })
  const answers = await Promise.all([ask(), ask(), ask()])
  expect(asked).toBe(1)
  for (const answer of answers) {
    expect(answer.json()).toEqual({ data: [], meta: { paused: 0, retrying: 1 } })
    expect(answer.headers['cache-control']).toBe('no-store')
  }
})
