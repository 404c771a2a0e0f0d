import { expect } from 'vitest'
import { gatewayTest as test } from '../harness/fixtures.ts'

const VIEW = { event_type: 'view', ref_type: 'Product', session_id: 's-1', occurred_at: new Date().toISOString() }

test('a rejected event is repaired and sent again by forms, once', async ({ gateway, stack }) => {
  const post = (path: string, type: string, body: string) =>
    fetch(gateway.url + path, {
      method: 'POST',
      headers: { 'content-type': type, origin: gateway.url },
      body,
      redirect: 'manual',
    })
  const submit = (form: Record<string, string>) =>
    post('/quality?hours=72', 'application/x-www-form-urlencoded', new URLSearchParams(form).toString())
  const interactions = [VIEW, { ...VIEW, ref_id: 'lamp', event_type: 'Viewed!' }]
  await post('/api/v1/analytic/interaction', 'application/json', JSON.stringify({ interactions }))
  await stack.settled()

  const page = await (await fetch(`${gateway.url}/quality?id=1.0`)).text()
  expect(page).toContain('is missing')
  const again = await submit({ action: 'replay', id: '1.0' })
  expect([again.status, await again.text()]).toEqual([
    422,
    expect.stringMatching(/It was rejected again, as \d+\.0: ref_id is missing\./),
  ])
  const unreadable = await submit({ action: 'replay', id: '1.1', set: '{ref_id' })
  expect([unreadable.status, await unreadable.text()]).toEqual([422, expect.stringContaining('the corrections are not JSON')])

  const repaired = await submit({
    action: 'replay',
    id: '1.1',
    field: 'event_type',
    value: 'view',
    set: '{"metadata":{"shelf":1}}',
  })
  expect([repaired.status, repaired.headers.get('location')]).toEqual([303, '/quality?hours=72&done=replayed'])
  expect(await (await fetch(`${gateway.url}/quality?hours=72&done=replayed`)).text()).toContain('The event is recorded.')
  const twice = await submit({ action: 'replay', id: '1.1', field: 'event_type', value: 'view' })
  expect([twice.status, await twice.text()]).toEqual([422, expect.stringContaining('Nothing was changed: ')])

  const run = await submit({ action: 'replay_code', code: 'invalid' })
  expect([run.status, run.headers.get('location')]).toEqual([303, '/quality?hours=72&done=started'])
})
