import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import { Readable } from 'node:stream'
import { fastify, type FastifyInstance, type LightMyRequestResponse } from 'fastify'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { formAnswers } from '../../src/gateway/http/answer-form.ts'
import { encodingIn } from '../../src/gateway/http/compression.ts'
import { linkPages, linkToCursor } from '../../src/gateway/http/next-link.ts'

const LONG = { data: Array.from({ length: 100 }, (_, place) => ({ product_id: `p${place}`, name: 'Ünïcode 🛒' })) }

/** What handlers answer here; counted, so that a test sees whether an answer was made again. */
function server(answer: () => unknown, config: object = {}): FastifyInstance {
  const app = fastify()
  app.addHook('preValidation', async (request) => {
    const { limit, offset } = request.query as Record<string, string>
    if (limit !== undefined) Object.assign(request.query as object, { limit: Number(limit) })
    if (offset !== undefined) Object.assign(request.query as object, { offset: Number(offset) })
  })
  linkPages(app)
  formAnswers(app)
  app.get('/list', { config }, async () => answer())
  app.post('/list', async () => answer())
  app.get('/json', async (request, reply) =>
    reply
      .headers(linkToCursor(request, 'abc'))
      .type('application/json')
      .send(Buffer.from(JSON.stringify(LONG))),
  )
  app.get('/stream', async (_request, reply) => reply.type('application/json').send(Readable.from([JSON.stringify(LONG)])))
  return app
}

const get = (app: FastifyInstance, url: string, headers: Record<string, string> = {}) =>
  app.inject({ method: 'GET', url, headers })

const DECODE: Record<string, (body: Buffer) => Buffer> = { br: brotliDecompressSync, gzip: gunzipSync }
const bodyOf = ({ headers, rawPayload }: LightMyRequestResponse) =>
  (DECODE[String(headers['content-encoding'])] ?? ((body: Buffer) => body))(rawPayload).toString()

test.for([
  [undefined, undefined],
  ['identity', undefined],
  ['gzip', 'gzip'],
  ['gzip, deflate, br', 'br'],
  ['GZIP;q=0.5, br;q=1.0', 'br'],
  ['br;q=0, gzip', 'gzip'],
  ['br;q=0.000, gzip; q=0', undefined],
  ['brotli, x-gzip', undefined],
] as const)('Accept-Encoding %s gets %s, and the same bytes', async ([accepted, expected]) => {
  const app = server(() => LONG)
  const answer = await get(app, '/list', accepted === undefined ? {} : { 'accept-encoding': accepted })
  expect(answer.headers['content-encoding']).toBe(expected)
  expect(encodingIn(accepted)).toBe(expected)
  expect(answer.headers['vary']).toBe('Accept-Encoding')
  expect(Number(answer.headers['content-length'])).toBe(answer.rawPayload.length)
  expect(JSON.parse(bodyOf(answer))).toEqual(LONG)
})

test('an answer that says how it was made has the same tag later, and its own bytes', async () => {
  let second = 10
  const rows = LONG.data.slice(0, 50)
  const made = () => ({
    data: rows,
    meta: { generated_at: `2026-03-01T12:00:${second++}.000Z`, cache_hit: second > 11, execution_ms: second / 7 },
  })
  const app = server(made, { saysHowMade: true })
  const first = await get(app, '/list')
  const tag = String(first.headers['etag'])
  expect((await get(app, '/list', { 'if-none-match': tag })).statusCode).toBe(304)
  const [gzip, again] = [
    await get(app, '/list', { 'accept-encoding': 'gzip' }),
    await get(app, '/list', { 'accept-encoding': 'gzip' }),
  ]
  expect([gzip.headers['etag'], again.headers['etag']]).toEqual([tag, tag])
  expect([bodyOf(gzip), bodyOf(again)].map((body) => (JSON.parse(body) as ReturnType<typeof made>).meta.generated_at)).toEqual([
    '2026-03-01T12:00:12.000Z',
    '2026-03-01T12:00:13.000Z',
  ])
  rows.pop()
  expect((await get(app, '/list', { 'if-none-match': tag })).statusCode).toBe(200)
})

test('any header of any client is read without an error', () => {
  fc.assert(
    fc.property(fc.string(), (header) => {
      expect(['br', 'gzip', undefined]).toContain(encodingIn(header))
    }),
  )
})

test('short answers, streams, errors and answers of POST are not compressed', async () => {
  const headers = { 'accept-encoding': 'br' }
  const short = await get(
    server(() => ({ data: [] })),
    '/list',
    headers,
  )
  expect(short.headers).not.toHaveProperty('content-encoding')
  expect(short.headers).not.toHaveProperty('vary')
  const app = server(() => LONG)
  const stream = await get(app, '/stream', headers)
  expect(stream.headers).not.toHaveProperty('content-encoding')
  expect(stream.headers).not.toHaveProperty('etag')
  const posted = await app.inject({ method: 'POST', url: '/list', headers })
  expect(posted.headers).not.toHaveProperty('content-encoding')
  expect(posted.headers).not.toHaveProperty('etag')
  const failing = server(() => Promise.reject(new Error('x'.repeat(2_000))))
  const failed = await get(failing, '/list', headers)
  expect([failed.statusCode, failed.headers['content-encoding'], failed.headers['etag']]).toEqual([500, undefined, undefined])
})

test('a client that has the same gets 304, whatever its encoding; another content has another tag', async () => {
  let answer: object = LONG
  const app = server(() => answer)
  const first = await get(app, '/list', { 'accept-encoding': 'br' })
  const tag = String(first.headers['etag'])
  expect(tag).toMatch(/^W\/"[\w-]{22}"$/)
  expect(first.headers['cache-control']).toBe('private, no-cache')
  for (const names of [tag, `"other", ${tag}`, tag.slice(2), '*']) {
    const again = await get(app, '/list', { 'if-none-match': names })
    expect([again.statusCode, again.body, again.headers['etag'], again.headers['content-type']]).toEqual([
      304,
      '',
      tag,
      undefined,
    ])
    expect([again.headers['cache-control'], again.headers['vary']]).toEqual(['private, no-cache', 'Accept-Encoding'])
  }
  answer = { data: [1] }
  const changed = await get(app, '/list', { 'if-none-match': tag })
  expect([changed.statusCode, changed.json()]).toEqual([200, answer])
  expect(changed.headers['etag']).not.toBe(tag)
})

test('HEAD has the headers of GET, and no body', async () => {
  const app = server(() => LONG)
  const got = await get(app, '/list')
  const head = await app.inject({ method: 'HEAD', url: '/list', headers: { 'if-none-match': String(got.headers['etag']) } })
  expect([head.statusCode, head.body, head.headers['etag']]).toEqual([200, '', got.headers['etag']])
  expect(head.headers['content-length']).toBe(got.headers['content-length'])
})

test('what persons did is not kept by any cache', async () => {
  const answer = await get(
    server(() => LONG, { isPersonal: true }),
    '/list',
    { 'if-none-match': '*' },
  )
  expect([answer.statusCode, answer.headers['cache-control'], answer.headers['etag']]).toEqual([200, 'no-store', undefined])
})

test.for([
  [
    'cursor, with the other parameters',
    '/list?a=1&b=%26&limit=2',
    { meta: { next_cursor: 'x-y_z' } },
    '?a=1&b=%26&limit=2&cursor=x-y_z',
  ],
  [
    'the next page of a question with a question mark',
    '/list?query=lamp?&limit=2',
    { meta: { next_cursor: 'new' } },
    '?query=lamp%3F&limit=2&cursor=new',
  ],
  ['the next cursor', '/list?limit=2&cursor=old', { meta: { next_cursor: 'new' } }, '?limit=2&cursor=new'],
  ['the next offset', '/list?limit=2&offset=2', { data: [], meta: { row_count: 5 } }, '?limit=2&offset=4'],
  ['the next offset of a report', '/list?limit=2&offset=0', { data: { row_count: 5 } }, '?limit=2&offset=2'],
  ['nothing on the last page', '/list?limit=2&offset=3', { meta: { row_count: 5 } }, undefined],
  ['nothing after the last cursor', '/list?limit=2', { meta: { next_cursor: null } }, undefined],
  ['nothing beyond the last offset', '/list?limit=100&offset=999901', { meta: { row_count: 5_000_000 } }, undefined],
  ['nothing for what is no list', '/list', { meta: { next_cursor: 'x' } }, undefined],
] as const)('a page links to %s', async ([_what, url, answer, expected]) => {
  const { headers } = await get(
    server(() => answer),
    url,
  )
  expect(headers['link']).toBe(expected === undefined ? undefined : `<${expected}>; rel="next"`)
  if (expected !== undefined) expect(new URL(expected, `http://host${url}`).pathname).toBe('/list')
})

test('a page that is JSON already links to the next one too', async () => {
  const { headers } = await get(server(Object), '/json?limit=3')
  expect(headers['link']).toBe('<?limit=3&cursor=abc>; rel="next"')
})
