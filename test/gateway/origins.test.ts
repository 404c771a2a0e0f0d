import { expect, test } from 'vitest'
import { isOneOf, originOf, originProblem } from '../../src/gateway/access/origins.ts'
import { ONLY_KEYS, SECRET_KEY } from '../harness/items/known-key.ts'
import { offlineGateway } from '../harness/servers/offline-gateway.ts'

test.each([
  ['https://shop.example', 'https://shop.example'],
  ['https://shop.example/', 'https://shop.example'],
  ['http://localhost:5173', 'http://localhost:5173'],
  ['https://*.shop.example', 'https://*.shop.example'],
  ['https://*.shop.co.uk:8443', 'https://*.shop.co.uk:8443'],
])('%s names %s', (text, origin) => {
  expect(originOf(text)).toBe(origin)
})

test.each([
  '*',
  'https://*',
  'https://*.example',
  'https://*.*.shop.example',
  'https://eu.*.shop.example',
  'https://*shop.example',
  'https://eu*.shop.example',
  'https://*.shop.*',
  'https://*.shop.example/path',
  'ftp://*.shop.example',
  'shop.example',
  'https://Shop.example',
  'https://shop.example:443',
  'https://*.Shop.Example',
  'https://*.co.uk',
  'https://*.com.au:8443',
  'null',
  '',
])('%j is no origin of a key', (text) => {
  expect(originOf(text)).toBeUndefined()
})

test.each([
  ['https://*.Shop.Example', 'Browsers write it as https://*.shop.example: give that.'],
  ['HTTPS://shop.example:443/', 'Browsers write it as https://shop.example: give that.'],
  ['https://*.münchen.example', 'Browsers write it as https://*.xn--mnchen-3ya.example: give that.'],
  ['https://*.co.uk', 'Anyone may register a name under co.uk: name your own.'],
  ['https://*.CO.UK/', 'Anyone may register a name under co.uk: name your own.'],
  ['*', expect.stringMatching(/^It is the scheme and host of a page, such as /)],
  ['https://shop.example/cart', expect.stringMatching(/^It is the scheme and host of a page, such as /)],
  ['https://*.example', expect.stringMatching(/^It is the scheme and host of a page, such as /)],
])('%s is refused with what to write', (text, problem) => {
  expect(originProblem(text)).toEqual(problem)
})

test.each(['https://*.t.co', 'https://*.co.shop.example', 'https://*.com.shop'])('%s is a name of its own', (text) => {
  expect(originOf(text)).toBe(text)
})

const ORIGINS = new Set(['https://*.shop.example', 'https://other.example', 'http://*.test.example:8080'])

test.each([
  ['https://eu.shop.example', true],
  ['https://xn--mnchen-3ya.shop.example', true],
  ['https://a-b_c9.shop.example', true],
  ['https://other.example', true],
  ['http://eu.test.example:8080', true],
  ['https://shop.example', false],
  ['https://a.eu.shop.example', false],
  ['http://eu.shop.example', false],
  ['https://eu.shop.example:8443', false],
  ['https://eu.shop.example.evil.example', false],
  ['https://evilshop.example', false],
  ['https://eu.other.example', false],
  ['https://.shop.example', false],
  ['https://eu/.shop.example', false],
  ['https://eu@x.shop.example', false],
  ['null', false],
])('a page of %s may use the key: %s', (origin, may) => {
  expect(isOneOf(origin, ORIGINS)).toBe(may)
})

test('CORS and the key decide alike', async () => {
  const key = { ...SECRET_KEY, isPublishable: true, origins: ['https://*.shop.example'] }
  const keys = async () => ({ areUsed: true, find: () => key, ofId: () => key, origins: new Set(key.origins) })
  await using gateway = await offlineGateway({ access: { ...ONLY_KEYS, keys } })
  const send = async (origin: string) => {
    const headers = { origin, authorization: 'Bearer k', 'content-type': 'application/json', 'content-length': '2' }
    const url = '/api/v1/analytic/interaction'
    const preflight = { origin, 'access-control-request-method': 'POST' }
    const asked = await gateway.app.inject({ url, method: 'OPTIONS', headers: preflight })
    const sent = await gateway.app.inject({ url, method: 'POST', headers, payload: '{}' })
    return [asked.headers['access-control-allow-origin'], sent.headers['access-control-allow-origin'], sent.statusCode]
  }
  // 400, because the request lists no items.
  expect(await send('https://eu.shop.example')).toEqual(['https://eu.shop.example', 'https://eu.shop.example', 400])
  expect(await send('https://shop.example')).toEqual([undefined, undefined, 403])
})

test('pages may read the date of an answer, and send compressed bodies', async () => {
  const key = { ...SECRET_KEY, isPublishable: true, origins: ['https://shop.example'] }
  const keys = async () => ({ areUsed: true, find: () => key, ofId: () => key, origins: new Set(key.origins) })
  await using gateway = await offlineGateway({ access: { ...ONLY_KEYS, keys } })
  const headers = { origin: 'https://shop.example', 'access-control-request-method': 'POST' }
  const { headers: answered } = await gateway.app.inject({ url: '/api/v1/search', method: 'OPTIONS', headers })
  expect(String(answered['access-control-allow-headers']).split(', ')).toContain('content-encoding')
  const got = await gateway.app.inject({ url: '/health', headers: { origin: 'https://shop.example' } })
  expect(String(got.headers['access-control-expose-headers']).split(', ')).toContain('date')
})
