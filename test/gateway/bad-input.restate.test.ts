import { randomUUID } from 'node:crypto'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { sql } from 'kysely'
import { expect } from 'vitest'
import { eventIdOfKey } from '../../src/admission/event-key.ts'
import type { CreateInteractionResponse } from '../../src/contract/interaction.ts'
import { TopResponse } from '../../src/contract/popularity.ts'
import { encodeCursor } from '../../src/store/database/cursor.ts'
import type { TestGateway } from '../harness/servers/gateway.ts'
import type { Stack } from '../harness/servers/stack.ts'
import { gatewayTest as test } from '../harness/fixtures.ts'
import type { Database } from '../../src/store/database/connection.ts'

test.beforeEach(({ gateway }) => {
  gateway.log.length = 0
})

const WAYS = ['REST', 'ingress'] as const
type Way = (typeof WAYS)[number]

async function post(stack: Stack, gateway: TestGateway, way: Way, body: string): Promise<{ status: number; json: unknown }> {
  const url = way === 'REST' ? `${gateway.url}/api/v1/analytic/interaction` : `${stack.ingressUrl}/Analytic/CreateInteraction`
  const answer = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
  return { status: answer.status, json: await answer.json() }
}

/** The bare answer, which REST wraps in data. */
function bare(way: Way, json: unknown): CreateInteractionResponse {
  return way === 'REST' ? (json as { data: CreateInteractionResponse }).data : (json as CreateInteractionResponse)
}

function withNesting(json: string): string {
  const nest = (levels: number) => `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`
  return json.replaceAll('"HUGE"', '1e999').replaceAll(/\{"nested":(\d+)\}/g, (_, levels: string) => nest(Number(levels)))
}

const valid = () => ({
  event_id: randomUUID(),
  occurred_at: new Date().toISOString(),
  session_id: 's',
  event_type: 'view',
  ref_type: 'Product',
  ref_id: 'p',
})
/** A placeholder for nesting that is too deep for JSON.stringify. */
const nested = (levels: number) => ({ nested: levels })
const without = (field: string) => Object.fromEntries(Object.entries(valid()).filter(([name]) => name !== field))

/** The mistake, the item, and the field that the answer names. */
const BAD_ITEMS: [name: string, item: unknown, field: string | null, code?: string][] = [
  ['null', null, null],
  ['a number', 7, null],
  ['a list', [], null],
  ['an unknown field', { ...valid(), nonsense: 1 }, 'nonsense'],
  ['NUL in the name of an unknown field', { ...valid(), 'a\0b': 1 }, null],
  ['metadata of 10,000 levels', { ...valid(), metadata: nested(10_000) }, 'metadata'],
  ['an unknown field of 10,000 levels', { ...valid(), nonsense: nested(10_000) }, 'nonsense'],
  ...(['ref_id', 'account_id', 'session_id', 'event_type', 'account_number'] as const).flatMap(
    (field): [string, unknown, string][] => [
      [`10,000 levels in ${field}`, { ...valid(), [field]: nested(10_000) }, field],
      [`a number beyond a double in ${field}`, { ...valid(), [field]: 'HUGE' }, field],
    ],
  ),
  ['a list of 10,000 levels', [nested(10_000)], null],
  [
    'a field named __proto__',
    JSON.parse('{"__proto__": {"a": 1}, "session_id": "s", "event_type": "view", "ref_type": "Product", "ref_id": "p"}'),
    '__proto__',
  ],
  ['a product id of 0 characters', { ...valid(), ref_id: '' }, 'ref_id'],
  ['a product id of 201 characters', { ...valid(), ref_id: 'x'.repeat(201) }, 'ref_id'],
  ['an account id of 201 characters outside the first plane', { ...valid(), account_id: '🛒'.repeat(201) }, 'account_id'],
  ['a session id of 0 characters', { ...valid(), session_id: '' }, 'session_id'],
  ['a product id that is a dot', { ...valid(), ref_id: '.' }, 'ref_id'],
  ['a product id that is top', { ...valid(), ref_id: 'top' }, 'ref_id'],
  ...(['ref_id', 'account_id', 'session_id'] as const).flatMap((field): [string, unknown, string][] => [
    [`NUL in ${field}`, { ...valid(), [field]: 'a\0b' }, field],
    [`half a surrogate pair in ${field}`, { ...valid(), [field]: 'a\ud800b' }, field],
  ]),
  ['NUL in event_type', { ...valid(), event_type: 'vi\0ew' }, 'event_type'],
  ['NUL deep in metadata', { ...valid(), metadata: { a: [{ b: 'x\0' }] } }, 'metadata'],
  ['a lone surrogate in a metadata key', { ...valid(), metadata: { '\udfff': 1 } }, 'metadata'],
  ['metadata of 5 KB', { ...valid(), metadata: { a: 'x'.repeat(5_000) } }, 'metadata'],
  ['a number beyond a double in metadata', { ...valid(), metadata: { a: 'HUGE' } }, 'metadata'],
  ['ten decimals of a second', { ...valid(), occurred_at: '2026-01-01T00:00:00.1234567891Z' }, 'occurred_at'],
  ['metadata that is a list', { ...valid(), metadata: [1] }, 'metadata'],
  ['a fraction as product id', { ...valid(), ref_id: 5.5 }, 'ref_id'],
  ['a number beyond 2^53 as product id', { ...valid(), ref_id: 2 ** 53 }, 'ref_id'],
  ['an event type in capitals', { ...valid(), event_type: 'VIEW' }, 'event_type'],
  ['an unknown ref_type', { ...valid(), ref_type: 'Shop' }, 'ref_type'],
  ['an account number beyond 2^53', { ...valid(), account_number: 2 ** 53 }, 'account_number'],
  ['no account and no session', without('session_id'), 'account_id'],
  ['no ref_id', without('ref_id'), 'ref_id'],
  ['1970', { ...valid(), occurred_at: '1970-01-01T00:00:00Z' }, 'occurred_at', 'too_old'],
  ['2099', { ...valid(), occurred_at: '2099-01-01T00:00:00Z' }, 'occurred_at', 'in_future'],
  ['six minutes from now', { ...valid(), occurred_at: new Date(Date.now() + 360_000).toISOString() }, 'occurred_at', 'in_future'],
  ['February 30', { ...valid(), occurred_at: '2026-02-30T00:00:00Z' }, 'occurred_at'],
  ['a time without a zone', { ...valid(), occurred_at: '2026-02-03T00:00:00' }, 'occurred_at'],
  ['an event_id without a time', without('occurred_at'), 'occurred_at'],
  ['the nil UUID', { ...valid(), event_id: '00000000-0000-0000-0000-000000000000' }, 'event_id'],
  ['an event_id and an event_key', { ...valid(), event_key: 'k' }, 'event_key'],
  ['six stars', { ...valid(), event_type: 'rating_high', metadata: { rating: '6' } }, 'metadata.rating'],
  ['an event_id that is no UUID', { ...valid(), event_id: 'abc' }, 'event_id'],
  [
    'a UUIDv7 with another time',
    { ...valid(), event_id: '018bcfe5-6800-7000-8000-000000000000', occurred_at: '2023-11-14T22:13:22Z' },
    'occurred_at',
  ],
]

test.for(WAYS)(
  'through %s: bad items are rejected by index and field, and their neighbours recorded',
  async (way, { db, stack, gateway }) => {
    const before = await countInteractions(db)
    const interactions = BAD_ITEMS.flatMap(([, item]) => [valid(), item])
    const { status, json } = await post(stack, gateway, way, withNesting(JSON.stringify({ interactions })))
    expect(status).toBe(200)
    const { accepted, duplicates, rejected } = bare(way, json)
    expect(rejected.map(({ index, field, code }) => [BAD_ITEMS[(index - 1) / 2]![0], field, code])).toEqual(
      BAD_ITEMS.map(([name, , field, code = 'invalid']) => [name, field, code]),
    )
    for (const { message, index } of rejected) {
      const [name] = BAD_ITEMS[(index - 1) / 2]!
      expect(message.length).toBeGreaterThan(3)
      if (/^10,000 levels|beyond a double/.test(name)) expect(message).toMatch(/deeper than 64 levels, or has a number beyond/)
    }
    expect({ accepted, duplicates }).toEqual({ accepted: BAD_ITEMS.length, duplicates: 0 })
    expect(await countInteractions(db)).toBe(before + BAD_ITEMS.length)
    if (way === 'REST') expect(gateway.log).toHaveLength(1)
  },
)

const WARNED: [name: string, item: object, field: string][] = [
  ['10,000 levels in user_agent', { ...valid(), user_agent: nested(10_000) }, 'user_agent'],
  ['a number beyond a double in user_agent', { ...valid(), user_agent: 'HUGE' }, 'user_agent'],
  ['NUL in user_agent', { ...valid(), user_agent: 'a\0b' }, 'user_agent'],
  ['half a surrogate pair in user_agent', { ...valid(), user_agent: 'a\ud800b' }, 'user_agent'],
  ['a user agent of 1,001 characters', { ...valid(), user_agent: 'x'.repeat(1_001) }, 'user_agent'],
  ['NUL in ip_address', { ...valid(), ip_address: '1.2.3\0' }, 'ip_address'],
  ['an address with a port', { ...valid(), ip_address: '203.0.113.7:80' }, 'ip_address'],
  ['a sent_at without a zone', { ...valid(), sent_at: '2026-02-03T00:00:00' }, 'sent_at'],
]

test.for(WAYS)(
  'through %s: items with a wrong device field are recorded without it, and the answer says so',
  async (way, { db, stack, gateway }) => {
    const before = await countInteractions(db)
    const again = WARNED.map(([, item]) => ({ ...item, event_id: randomUUID() }))
    const interactions = again.flatMap((item) => [{ ...valid(), event_type: 'quick_view', ref_id: 17, account_id: null }, item])
    const { status, json } = await post(stack, gateway, way, withNesting(JSON.stringify({ interactions })))
    expect(status).toBe(200)
    const { accepted, rejected, warnings, unweighted } = bare(way, json)
    expect({ accepted, rejected }).toEqual({ accepted: interactions.length, rejected: [] })
    expect(warnings!.map(({ index, field }) => [WARNED[(index - 1) / 2]![0], field])).toEqual(
      WARNED.map(([name, , field]) => [name, field]),
    )
    expect(unweighted).toEqual([{ event_type: 'quick_view', indexes: again.map((_item, place) => 2 * place) }])
    expect(await countInteractions(db)).toBe(before + interactions.length)
    const { rows } = await sql<{ n: number }>`
      select count(*)::int as n from interaction where ref_id = 'p' and (user_agent is not null or ip_address is not null or sent_at is not null)`.execute(
      db,
    )
    expect(rows).toEqual([{ n: 0 }])
  },
)

test.for(WAYS)(
  'through %s: an event with a key counts once, and sent_at is recorded next to its time',
  async (way, { db, stack, gateway }) => {
    const { event_id: _id, ...event } = valid()
    const sent = {
      ...event,
      event_key: `01ARZ3NDEKTSV4RRFFQ69G5FAV ${way}`,
      sent_at: '2026-01-02T03:04:05.006Z',
      ref_id: 'keyed',
    }
    const outcomes: number[][] = []
    for (const sent_at of [sent.sent_at, '2026-02-02T03:04:05Z']) {
      const { json } = await post(stack, gateway, way, JSON.stringify({ interactions: [{ ...sent, sent_at }] }))
      const { accepted, duplicates } = bare(way, json)
      outcomes.push([accepted, duplicates])
    }
    expect(outcomes).toEqual([
      [1, 0],
      [0, 1],
    ])
    const { rows } = await sql<{ at: Date }>`
    select sent_at as at from interaction where event_id = ${eventIdOfKey(sent.event_key)}`.execute(db)
    expect(rows).toEqual([{ at: new Date(sent.sent_at) }])
  },
)

const BAD_BODIES: [name: string, body: string, status: number, field?: string][] = [
  ['broken JSON', '{"interactions": [', 400],
  ['nothing', '', 400],
  ['a list', '[]', 400],
  ['no interactions', '{}', 400, 'interactions'],
  ['interactions that are no list', '{"interactions": "x"}', 400, 'interactions'],
  ['no items', '{"interactions": []}', 400, 'interactions'],
  ['10,001 items', JSON.stringify({ interactions: Array.from({ length: 10_001 }, () => 0) }), 400, 'interactions'],
  ['an unknown field', '{"interactions": [1], "nonsense": 1}', 400, 'nonsense'],
  ['17 MB', JSON.stringify({ interactions: ['x'.repeat(17_000_000)] }), 413],
]

test.for(BAD_BODIES)(
  'through REST: a body with %s is refused as a whole',
  async ([_name, body, status, field], { stack, gateway }) => {
    const answer = await post(stack, gateway, 'REST', body)
    expect(answer.status).toBe(status)
    expect(answer.json).toMatchObject({
      error: { code: status === 413 ? 'too_large' : 'invalid_request', message: expect.any(String) },
    })
    if (field !== undefined)
      expect((answer.json as { error: { details: unknown[] } }).error.details).toContainEqual(expect.objectContaining({ field }))
    expect(gateway.log).toHaveLength(1)
    expect(gateway.log[0]).toMatchObject({ status, msg: 'request' })
  },
)

test.for(BAD_BODIES)(
  'through the ingress: a body with %s is refused as a whole',
  async ([_name, body, status, field], { stack, gateway }) => {
    const answer = await post(stack, gateway, 'ingress', body)
    expect(answer.status).toBe(status)
    if (field !== undefined) expect(JSON.stringify(answer.json)).toContain(field)
  },
)

test.for(WAYS)('through %s: invalid UTF-8 is refused, and not read as another id', async (way, { stack, gateway }) => {
  const [head, tail] = JSON.stringify({ interactions: [{ ...valid(), ref_id: 'a|b' }] }).split('|') as [string, string]
  const url = way === 'REST' ? `${gateway.url}/api/v1/analytic/interaction` : `${stack.ingressUrl}/Analytic/CreateInteraction`
  for (const bytes of [[0xff], [0xed, 0xa0, 0x80]]) {
    const body = Buffer.concat([Buffer.from(head), Buffer.from(bytes), Buffer.from(tail)])
    const answer = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
    expect(answer.status).toBe(400)
    expect(await answer.text()).toContain('not UTF-8')
  }
})

test('times in any case and zone, with up to nine decimals, are kept in milliseconds', async ({ db, stack, gateway }) => {
  const times = ['2026-01-02t03:04:05.678912345z', '2026-01-02T05:04:05.678+02:00', '2026-01-01T22:04:05.6789-05:00']
  const interactions = times.map((occurred_at) => ({ ...valid(), ref_id: 'times', occurred_at }))
  expect(bare('REST', (await post(stack, gateway, 'REST', JSON.stringify({ interactions }))).json)).toMatchObject({ accepted: 3 })
  const { rows } = await sql<{ n: number }>`
    select count(*)::int as n from interaction where ref_id = 'times' and occurred_at = '2026-01-02T03:04:05.678Z'`.execute(db)
  expect(rows[0]!.n).toBe(3)
})

test("headers that are too large are answered in the contract's shape", async ({ gateway }) => {
  const tooLarge = await fetch(`${gateway.url}/health`, { headers: { 'x-large': 'x'.repeat(200_000) } })
  expect(tooLarge.status).toBe(431)
  const message = 'the request has more than 16 KiB of address and headers, or more than 100 headers'
  expect(await tooLarge.json()).toEqual({ error: { code: 'invalid_request', message } })
})

test('a body with a content type other than JSON is refused', async ({ gateway }) => {
  const answer = await fetch(`${gateway.url}/api/v1/analytic/interaction`, {
    method: 'POST',
    headers: { 'content-type': 'application/xml' },
    body: '{"interactions":[1]}',
  })
  expect(answer.status).toBe(400)
  expect(await answer.json()).toMatchObject({
    error: { code: 'invalid_request', message: 'content-type must be application/json' },
  })
})

test.for([
  ['/api/v1/analytic/popularity/top?limit=0', 400, 'limit'],
  ['/api/v1/analytic/popularity/top?limit=101', 400, 'limit'],
  ['/api/v1/analytic/popularity/top?limit=ten', 400, 'limit'],
  ['/api/v1/analytic/popularity/top?nonsense=1', 400, 'nonsense'],
  ['/api/v1/analytic/popularity/top?cursor=', 400, 'cursor'],
  ['/api/v1/analytic/popularity/top?cursor=abc', 400, 'cursor'],
  [`/api/v1/analytic/popularity/${'x'.repeat(201)}`, 400, 'product_id'],
  ['/api/v1/analytic/popularity/a%00b', 400, 'product_id'],
  ['/api/v1/analytic/popularity/%zz', 400, undefined],
  ['/api/v1/analytic/popularity/p?nonsense=1', 400, 'nonsense'],
  ['/api/v1/analytic/verify?nonsense=1', 400, 'nonsense'],
  ['/api/v1/analytic/popularity/never-seen', 404, undefined],
  ['/api/v1/nowhere', 404, undefined],
] as const)('GET %s is answered %i', async ([path, status, field], { gateway }) => {
  const answer = await fetch(gateway.url + path)
  expect(answer.status).toBe(status)
  const { error } = (await answer.json()) as { error: { code: string; details?: { field: string }[] } }
  expect(error.code).toBe(status === 404 ? 'not_found' : 'invalid_request')
  if (field !== undefined) expect(error.details).toContainEqual(expect.objectContaining({ field }))
})

test('a product id of 200 characters of four bytes each is found by its URL', async ({ stack, gateway }) => {
  const ref_id = '🛒'.repeat(200)
  await post(stack, gateway, 'REST', JSON.stringify({ interactions: [{ ...valid(), ref_id }] }))
  await stack.settled()
  const answer = await fetch(`${gateway.url}/api/v1/analytic/popularity/${encodeURIComponent(ref_id)}`)
  expect(await answer.json()).toMatchObject({ data: { product_id: ref_id, view_count: 1 } })
})

test('ids with characters that JSON escapes are listed as they were sent', async ({ stack, gateway }) => {
  const ids = ['"quoted"', String.raw`back\slash`, 'line\nbreak\t\u0001', '\u2028', '</script>', '{"a":1}']
  await post(
    stack,
    gateway,
    'REST',
    JSON.stringify({ interactions: ids.map((ref_id) => ({ ...valid(), ref_id, event_type: 'purchase' })) }),
  )
  await stack.settled()
  const answer = await fetch(`${gateway.url}/api/v1/analytic/popularity/top?limit=100`)
  const { data } = TopResponse.parse(await answer.json())
  expect(data.map((product) => product.product_id)).toEqual(expect.arrayContaining(ids))
})

test('a cursor is refused when any of its characters is changed', async ({ stack, gateway }) => {
  await post(
    stack,
    gateway,
    'REST',
    JSON.stringify({ interactions: ['one', 'two', 'three'].map((ref_id) => ({ ...valid(), ref_id })) }),
  )
  await stack.settled()
  const top = async (query: string) => {
    const answer = await fetch(`${gateway.url}/api/v1/analytic/popularity/top?${query}`)
    return {
      status: answer.status,
      body: (await answer.json()) as { data: { product_id: string }[]; meta: { next_cursor: string | null } },
    }
  }
  const first = await top('limit=1')
  const cursor = first.body.meta.next_cursor!
  const second = await top(`limit=1&cursor=${cursor}`)
  expect(second.status).toBe(200)
  expect(second.body.data[0]!.product_id).not.toBe(first.body.data[0]!.product_id)
  for (let place = 0; place < cursor.length; place++) {
    const changed = cursor.slice(0, place) + (cursor[place] === 'A' ? 'B' : 'A') + cursor.slice(place + 1)
    expect(await top(`cursor=${changed}`)).toMatchObject({ status: 400 })
  }
  const viaIngress = await fetch(`${stack.ingressUrl}/Popularity/Top`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ cursor: `${cursor}A` }),
  })
  expect(viaIngress.status).toBe(400)
  // Cursors with a right checksum and wrong content.
  for (const position of [['x', 'y'], ['9'.repeat(20), 'y'], ['1', 'a\0'], ['1'], []]) {
    expect(await top(`cursor=${encodeCursor('top', position)}`)).toMatchObject({ status: 400 })
  }
  expect(await top(`cursor=${encodeCursor('other', ['1', 'y'])}`)).toMatchObject({ status: 400 })
  expect(JSON.stringify(await viaIngress.json())).toContain('cursor')
})

test.for([
  [{ host: 'shop.example' }, 403],
  [{ origin: 'https://shop.example' }, 403],
  [{ origin: 'null' }, 403],
  [{ 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' }, 403],
  [{ 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' }, 200],
  [{ origin: 'http://localhost:5173' }, 200],
] as const)('without keys, a request with %j is answered %i', async ([headers, status], { gateway }) => {
  expect(await statusOf(`${gateway.url}/health`, headers)).toBe(status)
})

test('without keys, a form of another site is refused, and nothing is recorded', async ({ gateway, db }) => {
  const before = await countInteractions(db)
  const form = { 'content-type': 'text/plain', 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' }
  const status = await statusOf(`${gateway.url}/api/v1/analytic/interaction`, form, JSON.stringify({ interactions: [valid()] }))
  expect([status, await countInteractions(db)]).toEqual([403, before])
})

test.for([
  ['GET /health HTTP/1.1', 'Host: localhost', '200'],
  ['GET http://localhost/health HTTP/1.1', 'Host: localhost', '200'],
  ['GET http://shop.example/health HTTP/1.1', 'Host: localhost', '403'],
  ['GET /health HTTP/1.1', 'Host: localhost\r\nHost: shop.example', '403'],
  ['GET /health HTTP/1.1', 'Host: shop.example\r\nHost: localhost', '403'],
  ['GET /health HTTP/1.1', 'Host: evil@localhost', '403'],
  ['GET /health HTTP/1.0', 'X-Forwarded-Host: localhost', '403'],
] as const)('without keys, %j with %j is answered %s', async ([line, hosts, status], { gateway }) => {
  const socket = connect(Number(new URL(gateway.url).port), '127.0.0.1')
  socket.end(`${line}\r\n${hosts}\r\nConnection: close\r\n\r\n`)
  expect((await text(socket)).split(' ')[1]).toBe(status)
})

/** fetch does not allow a Host header. */
async function statusOf(url: string, headers: Record<string, string>, body?: string): Promise<number | undefined> {
  const { request } = await import('node:http')
  return new Promise((resolve, reject) => {
    request(url, { headers, method: body === undefined ? 'GET' : 'POST' }, (answer) => {
      answer.resume()
      resolve(answer.statusCode)
    })
      .on('error', reject)
      .end(body)
  })
}

async function countInteractions(db: Database): Promise<number> {
  const { rows } = await sql<{ n: number }>`select count(*)::int as n from interaction`.execute(db)
  return rows[0]!.n
}
