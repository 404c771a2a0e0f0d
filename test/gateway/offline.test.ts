import { expect, test } from 'vitest'
import { type OpenApiDocument, operationsOf } from '../harness/clients/openapi-document.ts'
import { offlineGateway } from '../harness/servers/offline-gateway.ts'

test('the page at /api has the method, address and summary of every operation, by tag', async () => {
  await using gateway = await offlineGateway()
  const { body, headers } = await gateway.app.inject('/api')
  expect(headers['content-security-policy']).toContain("style-src 'unsafe-inline'")
  const document = JSON.parse((await gateway.app.inject('/openapi.json')).body) as OpenApiDocument
  const text = body.replaceAll(/<\/?a[^>]*>/g, '')
  for (const { method, path, summary } of operationsOf(document)) {
    expect(text).toContain(`<code>${method} ${path}</code>: ${summary}`)
  }
  expect([...body.matchAll(/<h2>(.*)<\/h2>/g)].map(([, tag]) => tag)).toEqual(document.tags.map(({ name }) => name))
  // An address with a parameter is no link.
  const links = [...body.matchAll(/href="([^"]*)"/g)].map(([, link]) => link!)
  expect(links).toContain('/api/v1/analytic/popularity/top')
  expect(links.filter((link) => link.includes('{'))).toEqual([])
})

const LONG = 'x'.repeat(2_497)

test.each([
  ['an address with a bare %', { url: '/api/v1/analytic/popularity/%zz' }, /^the address has a %/],
  ['an address with a too long part', { url: `/api/v1/analytic/popularity/${LONG}` }, /^a part of the address is too long$/],
  ['an empty body', { payload: '' }, /^the body is empty$/],
  ['half a body', { payload: '{"interactions": [' }, /^the body is not JSON: /],
  ['another type of body', { payload: '<a/>', headers: { 'content-type': 'application/xml' } }, /^content-type must be/],
])('%s is refused in the words of the contract', async (_name, request, message) => {
  await using gateway = await offlineGateway()
  const post = { url: '/api/v1/analytic/interaction', method: 'POST', headers: { 'content-type': 'application/json' } } as const
  const answer = await gateway.app.inject('payload' in request ? { ...post, ...request } : request)
  expect(answer.statusCode).toBe(400)
  expect(JSON.parse(answer.body)).toEqual({ error: { code: 'invalid_request', message: expect.stringMatching(message) } })
})
