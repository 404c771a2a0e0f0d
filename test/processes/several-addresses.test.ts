import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import { onTestFinished, describe, expect, test } from 'vitest'
import { fetchFrom } from '../../src/ingress/addresses.ts'
import { createIngress } from '../../src/ingress/clients.ts'
import { analyticApi } from '../../src/contract/services.ts'
import { isRestateUp } from '../../src/main/embedded/restate.ts'
import { queryRestate } from '../../src/main/embedded/restate-queries.ts'
import { startTcpProxy } from '../harness/servers/tcp-proxy.ts'

/** A server that answers with its name and counts its requests. */
async function startNode(answer: RequestListener = (_, response) => response.end('served')) {
  const requests: { path: string; key: string | undefined }[] = []
  const server = createServer((request, response) => {
    requests.push({ path: request.url!, key: request.headers['idempotency-key'] as string | undefined })
    request.resume()
    answer(request, response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(async () => {
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  })
  return { url: `http://127.0.0.1:${(server.address() as { port: number }).port}`, requests }
}

const RECORDED = { accepted: 1, duplicates: 0, duplicate_indexes: [], rejected: [] }
const GONE = 'http://127.0.0.1:1'
const get = (addresses: string[], path = '/x') => fetchFrom(addresses.join(', '), path).then((answer) => answer.text())

describe('one of several addresses of Restate', () => {
  test('is asked after another one that refuses connections, and is the first one from then on', async () => {
    const node = await startNode()
    const late = await startNode()
    const list = [GONE, `${node.url}/`, late.url]
    expect(await get(list)).toBe('served')
    expect(await get(list, '/y')).toBe('served')
    expect(node.requests.map(({ path }) => path)).toEqual(['/x', '/y'])
    expect(late.requests).toEqual([])
  })

  test('is asked after another one that breaks off before or within its answer, on a connection that was used before too', async () => {
    let isBroken = false
    const broken = await startNode((request, response) => {
      if (!isBroken) return response.end('served')
      if (request.url === '/before') return request.socket.destroy()
      response.writeHead(200, { 'content-length': '100' })
      response.write('a part')
      return setImmediate(() => request.socket.destroy())
    })
    const node = await startNode((_, response) => response.end('whole'))
    const list = [broken.url, node.url]
    expect(await get(list)).toBe('served')
    isBroken = true
    expect(await get(list, '/before')).toBe('whole')
    expect(await get([...list, GONE], '/within')).toBe('whole')
  })

  test.each([502, 503, 504])(
    'is asked after another one that answers %i, unless that is the answer of a handler',
    async (status) => {
      const headers = { 'x-restate-error-source': 'invocation' }
      const refusing = await startNode((request, response) =>
        response.writeHead(status, request.url === '/decided' ? headers : {}).end('no'),
      )
      const node = await startNode()
      const list = `${refusing.url},${node.url}`
      expect((await fetchFrom(list, '/decided')).status).toBe(status)
      expect((await fetchFrom(list, '/x')).status).toBe(200)
      expect(node.requests).toHaveLength(1)
    },
  )

  test('is asked after another one that has just started and knows no service yet; when none knows it, the answer is that', async () => {
    const unknown: RequestListener = (_, response) =>
      response
        .writeHead(404, { 'x-restate-error-source': 'ingress' })
        .end(`{"message":"service 'Analytic' not found, make sure to register the service before calling it."}`)
    const [started, other, node] = [await startNode(unknown), await startNode(unknown), await startNode()]
    expect(await get([started.url, node.url])).toBe('served')
    expect((await fetchFrom(`${started.url},${other.url}`, '/x')).status).toBe(404)
  })

  test('gives its answer as it is when it refuses the request', async () => {
    const node = await startNode((_, response) => response.writeHead(404).end('{"message":"none"}'))
    const other = await startNode()
    const answer = await fetchFrom(`${node.url},${other.url}`, '/x')
    expect([answer.status, await answer.text(), other.requests.length]).toEqual([404, '{"message":"none"}', 0])
  })

  test('is an error when it redirects, and the address that it names gets nothing', async () => {
    const other = await startNode()
    const node = await startNode((_, response) => response.writeHead(308, { location: `${other.url}/x` }).end())
    const cause = expect.objectContaining({ message: 'unexpected redirect' })
    await expect(fetchFrom(node.url, '/x')).rejects.toMatchObject({ cause })
    await expect(fetchFrom(`${node.url},${node.url}`, '/x')).rejects.toMatchObject({ cause })
    expect(other.requests).toEqual([])
  })

  test('is asked at most twice, and its last answer or error is that of the call', async () => {
    const [a, b] = [
      await startNode((_, response) => response.writeHead(503).end('full')),
      await startNode((_, r) => r.writeHead(502).end()),
    ]
    const answer = await fetchFrom(`${a.url},${b.url}`, '/x')
    expect([answer.status, a.requests.length, b.requests.length]).toEqual([502, 2, 2])
    await expect(fetchFrom(`${GONE},http://127.0.0.1:2`, '/x')).rejects.toThrow(TypeError)
  })

  test('is asked beside another one that is silent, with the same idempotency key', async () => {
    const silent = await startNode(() => undefined)
    const node = await startNode((_, response) => response.end(JSON.stringify(RECORDED)))
    const ingress = createIngress({ url: `${silent.url},${node.url}`, deadlineMs: 20_000 })
    const call = () => ingress.call(analyticApi, 'CreateInteraction', { interactions: [] })
    expect(await call()).toEqual(RECORDED)
    expect(node.requests).toEqual(silent.requests)
    expect(node.requests[0]!.key).toMatch(/^[0-9a-f-]{36}$/)
    await call()
    expect([silent.requests.length, node.requests.length]).toEqual([1, 2])
  })

  test('is asked one after the other for requests that must not run twice at the same moment', async () => {
    const slow = await startNode((_, response) => void setTimeout(() => response.end('late'), 1_500))
    const node = await startNode()
    const answer = await fetchFrom(`${slow.url},${node.url}`, '/x', {}, { isOneByOne: true })
    expect([await answer.text(), node.requests.length]).toEqual(['late', 0])
  })

  test('is not asked any more when the time of the caller is over, whose reason is thrown', async () => {
    const over = new AbortController()
    const silent = await startNode(() => over.abort(new Error('over')))
    await expect(fetchFrom(`${silent.url},${GONE}`, '/x', { signal: over.signal })).rejects.toThrow('over')
    expect(silent.requests).toHaveLength(1)
  })

  test('is enough for health, in every order', async () => {
    const node = await startNode()
    for (const list of [`${GONE},${node.url}`, `${node.url},${GONE}`]) {
      expect(await isRestateUp({ ingress: list, admin: list })).toBe(true)
    }
    expect(await isRestateUp({ ingress: node.url, admin: `${GONE},http://127.0.0.1:2` })).toBe(false)
  })
})

test('calls go on through the second address while the first one is cut, and through the first one when the second one is', async () => {
  const node = await startNode((_, response) => response.end(JSON.stringify(RECORDED)))
  const proxies = [await startTcpProxy(node.url), await startTcpProxy(node.url)] as const
  const ingress = createIngress({ url: proxies.map(({ url }) => url).join(',') })
  const call = () => ingress.call(analyticApi, 'CreateInteraction', { interactions: [] })
  onTestFinished(() => Promise.all(proxies.map(({ cut }) => cut())).then(() => undefined))
  await call()
  for (const proxy of [...proxies, ...proxies]) {
    const running = [call(), call(), call()]
    await proxy.cut()
    expect(await Promise.all([...running, call(), call()])).toEqual(Array(5).fill(RECORDED))
    await proxy.mend()
  }
})

test('a query is repeated while a partition of Restate has no leader, and any other problem is thrown at once', async () => {
  const problems = ['node lookup for partition 3 failed', 'expecting a partition store for partition 1']
  const node = await startNode((request, response) => {
    if (request.headers['x-bad'] !== undefined) return response.writeHead(500).end('syntax error')
    const problem = problems.shift()
    return problem === undefined ? response.end('{"rows":[{"n":1}]}') : response.writeHead(500).end(problem)
  })
  expect(await queryRestate(node.url, 'select 1')).toEqual([{ n: 1 }])
  expect(node.requests).toHaveLength(3)
  const broken = await startNode((_, response) => response.writeHead(500).end('syntax error'))
  await expect(queryRestate(broken.url, 'select')).rejects.toThrow('500 syntax error')
  expect(broken.requests).toHaveLength(1)
})
