import { expect, test } from 'vitest'
import { createIngress } from '../../src/ingress/clients.ts'
import { offlineGateway } from '../harness/servers/offline-gateway.ts'

/** Gives a Restate that is away up early. */
const ingress = createIngress({ url: 'http://127.0.0.1:1', deadlineMs: 200 })
const HOST = 'localhost:3000'
const OWN = { host: HOST, origin: `http://${HOST}`, 'content-type': 'application/x-www-form-urlencoded' }
const FORMS = [
  ['/reports', 'action=start&report_slug=volume-by-period&window=day&date_from=2026-03-01&date_to=2026-03-02'],
  ['/recommendations', 'action=promote&version=1'],
  ['/quality', 'action=replay&id=1.0&field=ref_id&value=lamp'],
  ['/operations', 'action=verify'],
  ['/keys', 'action=revoke&id=3f1c9a7be042'],
  ['/stock', 'action=replay&alert_id=a&delivery_id=b'],
] as const

test.each(FORMS)('a form of %s is refused from a page elsewhere', async (url, payload) => {
  await using gateway = await offlineGateway()
  for (const headers of [
    { ...OWN, origin: 'https://elsewhere.example' },
    { ...OWN, origin: 'null' },
    { host: HOST, 'content-type': OWN['content-type'], 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' },
  ]) {
    const { statusCode, body } = await gateway.app.inject({ method: 'POST', url, headers, payload })
    expect([statusCode, body.includes('elsewhere')]).toEqual([403, true])
  }
})

test.each(FORMS.filter(([url]) => url !== '/stock'))(
  'a form of %s to which no answer came says so above the view',
  async (url, payload) => {
    await using gateway = await offlineGateway({ ingress })
    const { statusCode, body } = await gateway.app.inject({ method: 'POST', url, headers: OWN, payload })
    expect(statusCode).toBe(503)
    expect(body).toMatch(/<p class="notice bad" role="alert">No answer came: [^<]+\.<\/p>/)
  },
)

test('a form that is refused says why above the view', async () => {
  await using gateway = await offlineGateway({ ingress })
  const [url, payload] = FORMS.at(-1)!
  const { statusCode, body } = await gateway.app.inject({ method: 'POST', url, headers: OWN, payload })
  expect(statusCode).toBe(422)
  expect(body).toMatch(/<p class="notice bad" role="alert">Nothing was changed: [^<]+\.<\/p>/)
})

test.each(['drop', 'constructor', 'toString', '__proto__'])(
  'a form with the unknown action %s changes nothing',
  async (action) => {
    await using gateway = await offlineGateway()
    const { statusCode, body } = await gateway.app.inject({
      method: 'POST',
      url: '/reports',
      headers: OWN,
      payload: `action=${action}`,
    })
    expect(statusCode).toBe(422)
    expect(body).toContain('there is no such action')
  },
)
