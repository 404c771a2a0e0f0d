import { expect, test } from 'vitest'
import { ONLY_KEYS, SECRET_KEY, withKey } from '../harness/items/known-key.ts'
import type { GatewayChanges } from '../harness/servers/gateway.ts'
import { offlineGateway } from '../harness/servers/offline-gateway.ts'

const HOST = { host: 'localhost:3000' }
/** Keys are used, and none is known. */
const WITH_KEYS: GatewayChanges = {
  access: {
    ...ONLY_KEYS,
    keys: async () => ({ areUsed: true, find: () => undefined, ofId: () => undefined, origins: new Set() }),
  },
}

test('a page says in its headers that nothing inline, evaluated or foreign runs in it', async () => {
  await using gateway = await offlineGateway()
  const { headers } = await gateway.app.inject({ url: '/', headers: HOST })
  const policy = String(headers['content-security-policy'])
  expect(policy).toContain("default-src 'none'; script-src 'self'; style-src 'self'")
  expect(policy).not.toContain('unsafe')
  expect(headers['cache-control']).toBe('private, no-cache')
})

test.for([
  ['/', 'private, no-cache'],
  ['/shoppers?id=ada', 'no-store'],
  ['/product/lamp', 'no-store'],
  ['/quality', 'no-store'],
] as const)('what persons did is not kept by a browser: %s', async ([url, expected]) => {
  await using gateway = await offlineGateway()
  const { headers } = await gateway.app.inject({ method: 'GET', url, headers: HOST })
  expect([headers['cache-control'], 'etag' in headers]).toEqual([expected, expected !== 'no-store'])
})

test('a browser without a key is led to the form for signing in, and back', async () => {
  await using gateway = await offlineGateway(WITH_KEYS)
  const { statusCode, headers } = await gateway.app.inject({ url: '/product/lamp?hours=24', headers: HOST })
  expect([statusCode, headers.location]).toEqual([303, '/sign-in?next=%2Fproduct%2Flamp%3Fhours%3D24'])
  const form = await gateway.app.inject({ url: headers.location as string, headers: HOST })
  expect(form.statusCode).toBe(200)
  expect(form.body).toContain('<input type="hidden" name="next" value="/product/lamp?hours=24"/>')
  expect(form.body).not.toContain('<nav')
})

test('an update without a key is answered 401, and htmx is told where to go', async () => {
  await using gateway = await offlineGateway(WITH_KEYS)
  const answer = await gateway.app.inject({ url: '/', headers: { ...HOST, 'hx-request': 'true' } })
  expect([answer.statusCode, answer.headers['hx-redirect']]).toEqual([401, '/sign-in'])
})

test('a link from another site is asked for again, because a session does not come along with it', async () => {
  await using gateway = await offlineGateway(WITH_KEYS)
  const headers = { ...HOST, 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', 'sec-fetch-dest': 'document' }
  const { statusCode, body } = await gateway.app.inject({ url: '/searches?filter=no_click', headers })
  expect(statusCode).toBe(200)
  expect(body).toContain('<meta http-equiv="refresh" content="0;url=/searches?filter=no_click"/>')
})

test('a part that cannot be read is a sentence, and the rest of the page stands', async () => {
  await using gateway = await offlineGateway()
  const { statusCode, body } = await gateway.app.inject({ url: '/searches', headers: HOST })
  expect(statusCode).toBe(200)
  expect(body).toContain('The database does not answer; try again.')
  expect(body).toContain('<a href="/searches" aria-current="page">Searches</a>')
})

test('a style keeps its name as long as its content, is compressed, and never asked for again', async () => {
  await using gateway = await offlineGateway()
  const page = await gateway.app.inject({ url: '/', headers: HOST })
  const [, address] = /href="(\/page\/page-[0-9a-f]{12}\.css)"/.exec(page.body)!
  const [plain, brotli, gzip] = await Promise.all(
    ['identity', 'gzip, br', 'gzip;q=1, br;q=0'].map((encoding) =>
      gateway.app.inject({ url: address!, headers: { ...HOST, 'accept-encoding': encoding } }),
    ),
  )
  expect([plain, brotli, gzip].map((answer) => answer!.headers['content-encoding'])).toEqual([undefined, 'br', 'gzip'])
  expect(brotli!.rawPayload.length).toBeLessThan(plain!.rawPayload.length / 3)
  expect(plain!.headers['cache-control']).toBe('public, max-age=31536000, immutable')
  expect((await gateway.app.inject({ url: '/page/page-000000000000.css', headers: HOST })).statusCode).toBe(404)
})

test('an update has only the parts that change, and the same parts are not sent twice', async () => {
  await using gateway = await offlineGateway()
  const headers = { ...HOST, 'hx-request': 'true' }
  const { body, headers: answered } = await gateway.app.inject({ url: '/searches', headers })
  expect(body).toMatch(/^<title>Searches · Footfall<\/title><hx-partial hx-target="#view"/)
  const again = await gateway.app.inject({ url: '/searches', headers: { ...headers, 'if-none-match': String(answered.etag) } })
  expect([again.statusCode, again.body]).toEqual([304, ''])
})

test.for([
  ['/operation', 'text/html,*/*;q=0.8', 'text/html; charset=utf-8'],
  ['/operation', '*/*', 'application/json; charset=utf-8'],
  ['/api/v1/operation', 'text/html,*/*;q=0.8', 'application/json; charset=utf-8'],
] as const)('an address without a view is a page for browsers, and an error for programs: %s %s', async ([url, accept, type]) => {
  await using gateway = await offlineGateway(WITH_KEYS)
  const { statusCode, headers, body } = await gateway.app.inject({ url, headers: { ...HOST, accept } })
  expect([statusCode, headers['content-type']]).toEqual([404, type])
  if (type.startsWith('text/html')) expect(body).toContain('<p>There is no page at this address.</p>')
})

test.for(['constructor', '__proto__'])('a problem that is a property of every object is none: %s', async (error) => {
  await using gateway = await offlineGateway(WITH_KEYS)
  const { statusCode, body } = await gateway.app.inject({ url: `/sign-in?error=${error}`, headers: HOST })
  expect([statusCode, body.includes('role="alert"')]).toEqual([200, false])
})

test.for(['as_of=-271821-04-20T00:00:00Z', 'as_of=never', 'mode=zzz', 'mode=__proto__'])(
  'a filter that cannot be is answered 400, with the page and a sentence: %s',
  async (query) => {
    await using gateway = await offlineGateway()
    const { statusCode, body } = await gateway.app.inject({ url: `/?${query}`, headers: HOST })
    expect([statusCode, body.includes('class="problem"'), body.includes('Trending products')]).toEqual([400, true, true])
  },
)

test.for([
  ['/searches?filter=zz', 'filter must be all, found_nothing or no_click'],
  ['/quality?hours=abc', 'hours must be a whole number from 1 to 168'],
  ['/quality?hours=0', 'hours must be a whole number from 1 to 168'],
  ['/product/lamp?hours=abc', 'hours must be a whole number from 1 to 8784'],
  ['/reports?report=zz', 'report must be volume-by-period, status-counts or top-entities'],
  ['/reports?window=zz', 'window must be day or week'],
  ['/reports?from=zz', 'from must be a day such as 2026-03-01'],
  ['/sellers?days=zz', 'days must be a whole number from 1 to 366'],
  ['/sellers/lumen?days=0', 'days must be a whole number from 1 to 366'],
  ['/categories?group=zz', 'group must be category or brand'],
  ['/shoppers?limit=101', 'limit must be a whole number from 1 to 100'],
] as const)('a filter that the API does not get as it is, and that cannot be, is refused too: %s', async ([url, sentence]) => {
  await using gateway = await offlineGateway()
  const { statusCode, body } = await gateway.app.inject({ url, headers: HOST })
  expect([statusCode, body.includes(`role="alert">The filter ${sentence}.<`)]).toEqual([400, true])
})

test.for(['/recommendations?days=x', '/searches?days=x', '/reports?breakdown=zz'])(
  'a filter that the API refuses is answered 400: %s',
  async (url) => {
    await using gateway = await offlineGateway()
    const { statusCode, body } = await gateway.app.inject({ url, headers: HOST })
    expect([statusCode, body.includes('class="problem"')]).toEqual([400, true])
  },
)

test.for([
  ['/?time_window_days=5', '<option value="5" selected>5 days</option>'],
  ['/searches?days=9', '<option value="9" selected>9 days</option>'],
  ['/quality?hours=48', '<option value="48" selected>48 hours</option>'],
  ['/recommendations?days=3', '<option value="3" selected>3 days</option>'],
  ['/sellers?days=14', '<option value="14" selected>14 days</option>'],
  ['/product/lamp?hours=48', '<a href="/product/lamp?hours=48" aria-current="true">48 hours</a>'],
] as const)('a filter that the form has no name for is shown all the same: %s', async ([url, option]) => {
  await using gateway = await offlineGateway()
  const { statusCode, body } = await gateway.app.inject({ url, headers: HOST })
  expect([statusCode, body.includes(option)]).toEqual([200, true])
})

test.for([
  ['/products?category=&brand=', '/products'],
  ['/products?query=red+lamp&category=&brand=%20&seller_id=a%26b', '/products?query=red+lamp&seller_id=a%26b'],
  ['/searches?filter=&filter=no_click', '/searches?filter=no_click'],
  ['/searches?filter=&query=why?', '/searches?query=why%3F'],
] as const)('filters without a value are no part of an address: %s', async ([url, short]) => {
  await using gateway = await offlineGateway()
  const { statusCode, headers } = await gateway.app.inject({ url, headers: HOST })
  expect([statusCode, headers.location]).toEqual([303, short])
  expect((await gateway.app.inject({ url, headers: { ...HOST, 'hx-request': 'true' } })).statusCode).toBe(200)
})

test.for([
  ['PUT', '/', 'text/html,*/*;q=0.8', 'text/html; charset=utf-8'],
  ['POST', '/products', 'text/html,*/*;q=0.8', 'text/html; charset=utf-8'],
  ['GET', '/session', 'text/html,*/*;q=0.8', 'text/html; charset=utf-8'],
  ['PUT', '/', '*/*', 'application/json; charset=utf-8'],
  ['PUT', '/api/v1/about', 'text/html,*/*;q=0.8', 'application/json; charset=utf-8'],
] as const)('a method that an address does not take is a page for browsers: %s %s %s', async ([method, url, accept, type]) => {
  await using gateway = await offlineGateway()
  const { statusCode, headers } = await gateway.app.inject({ method, url, headers: { ...HOST, accept } })
  expect([statusCode, headers['content-type'], headers.allow !== undefined]).toEqual([405, type, true])
})

test('a key without the scope of a view is led to its first view, and keeps its header elsewhere', async () => {
  await using gateway = await offlineGateway(withKey({ ...SECRET_KEY, name: 'operator', scopes: ['manage'] }))
  const headers = { ...HOST, authorization: 'Bearer k' }
  const first = await gateway.app.inject({ url: '/', headers })
  expect([first.statusCode, first.headers.location]).toEqual([303, '/searches'])
  const { statusCode, body } = await gateway.app.inject({ url: '/products', headers })
  expect(statusCode).toBe(403)
  expect(body).toContain('<p>The key does not have the scope read.</p>')
  expect(body).toContain('<a href="/quality">Quality</a>')
  expect(body).toContain('Sign out')
})

test('a key that only sends sees a sentence instead of the first view, and a seller its own view instead of any', async () => {
  const urls = ['/', '/quality']
  const answers = async (key: typeof SECRET_KEY) => {
    await using gateway = await offlineGateway(withKey(key))
    const asked = urls.map((url) => gateway.app.inject({ url, headers: { ...HOST, authorization: 'Bearer k' } }))
    return (await Promise.all(asked)).map(({ statusCode, headers }) => [statusCode, headers.location])
  }
  expect(await answers(SECRET_KEY)).toEqual([
    [403, undefined],
    [403, undefined],
  ])
  const own = [303, '/sellers/lumen']
  expect(await answers({ ...SECRET_KEY, scopes: ['read'], sellerId: 'lumen' })).toEqual([own, own])
  expect(await answers({ ...SECRET_KEY, isPublishable: true })).toEqual([
    [403, undefined],
    [403, undefined],
  ])
})

test('what cannot be read is not said to be unknown, or empty', async () => {
  await using gateway = await offlineGateway()
  const [product, stock] = await Promise.all(['/product/lamp', '/stock'].map((url) => gateway.app.inject({ url, headers: HOST })))
  expect([product!.statusCode, stock!.statusCode]).toEqual([200, 200])
  expect(product!.body).not.toContain('No event of the product was counted yet')
  expect(product!.body).not.toContain('after <')
  expect(stock!.body).not.toContain('The catalogue has no product yet')
})
