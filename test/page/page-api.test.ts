import { fastify } from 'fastify'
import { expect, test } from 'vitest'
import { createPageApi } from '../../src/gateway/page/page-api.ts'

/** An API that counts its calls and shows who called, and a page that asks it twice. */
async function pageOver(calls: string[]) {
  const app = fastify()
  app.decorateRequest('apiKey', null)
  app.addHook('onRequest', async (request) => {
    const { authorization } = request.headers
    if (authorization !== undefined) request.apiKey = { keyId: authorization } as NonNullable<typeof request.apiKey>
  })
  app.get('/api/v1/list', async ({ url, headers }) => {
    calls.push(`${url} ${headers.authorization}`)
    return { data: calls.length }
  })
  app.post('/api/v1/list', async ({ body }) => ({ data: body }))
  const apiOf = createPageApi(app, 600_000)
  app.get('/page', async (request) => {
    const api = apiOf(request)
    return Promise.all([api.get('/api/v1/list', { limit: 1 }), api.get('/api/v1/list', { limit: 1 })])
  })
  app.get('/anew', async (request) => apiOf(request).get('/api/v1/list', {}, { keepMs: 0 }))
  app.get('/api/v1/never', () => new Promise(() => undefined))
  app.get('/late', async (request) => apiOf(request).get('/api/v1/never', {}, { msMax: 10 }))
  app.get('/change', async (request) => apiOf(request).send('POST', '/api/v1/list', { n: 1 }))
  app.get('/watched', async (request) => {
    const api = apiOf(request)
    return api.share(request.url, () => api.get('/api/v1/list', {}, { keepMs: 0 }))
  })
  return (url: string, authorization = 'Bearer a') =>
    app.inject({ url, headers: { authorization } }).then((answer) => answer.json<unknown>())
}

test('the same question of the same caller is asked once within its time, and each caller gets its own answer', async () => {
  const calls: string[] = []
  const ask = await pageOver(calls)
  expect(await ask('/page')).toEqual([{ data: 1 }, { data: 1 }])
  expect(await ask('/page')).toEqual([{ data: 1 }, { data: 1 }])
  expect(await ask('/page', 'Bearer b')).toEqual([{ data: 2 }, { data: 2 }])
  expect(calls).toEqual(['/api/v1/list?limit=1 Bearer a', '/api/v1/list?limit=1 Bearer b'])
})

test('what is not the same in each browser is asked each time', async () => {
  const ask = await pageOver([])
  expect([await ask('/anew'), await ask('/anew')]).toEqual([{ data: 1 }, { data: 2 }])
})

test('what was kept is asked again after a change', async () => {
  const calls: string[] = []
  const ask = await pageOver(calls)
  await ask('/page')
  expect(await ask('/change')).toEqual({ data: { n: 1 } })
  expect(await ask('/page')).toEqual([{ data: 2 }, { data: 2 }])
})

test('a part whose answer does not come says so, and the page goes on', async () => {
  const ask = await pageOver([])
  expect(await ask('/late')).toEqual({ error: { code: 'unavailable', message: 'no answer came within 0.01 s' } })
})

test('parts are made once for the browsers of a caller that watch the same address, and anew after a change', async () => {
  const ask = await pageOver([])
  expect(await Promise.all(['/watched', '/watched'].map((url) => ask(url)))).toEqual([{ data: 1 }, { data: 1 }])
  expect(await ask('/watched?mode=rising')).toEqual({ data: 2 })
  expect(await ask('/watched', 'Bearer b')).toEqual({ data: 3 })
  await ask('/change')
  expect(await ask('/watched')).toEqual({ data: 4 })
})
