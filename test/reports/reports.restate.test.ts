import { sql } from 'kysely'
import { expect } from 'vitest'
import type { AuditEntry } from '../../src/contract/audit-entry.ts'
import type { CreateInteractionResponse } from '../../src/contract/interaction.ts'
import type { ReportAnswer } from '../../src/contract/report.ts'
import { analyticApi } from '../../src/contract/services.ts'
import { createIngress } from '../../src/ingress/clients.ts'
import { clear } from '../harness/servers/database.ts'
import { startGateway, type TestGateway } from '../harness/servers/gateway.ts'
import { makeKeys, SHOP } from '../harness/items/keys.ts'
import { SCOPES } from '../harness/items/recomputed.ts'
import { buildBuckets, type ReportedEvent, timeless } from '../harness/items/reports.ts'
import { atFailPoints } from '../harness/servers/fail-points.ts'
import type { Stack } from '../harness/servers/stack.ts'
import { audit } from '../../src/store/audit/audit-entry.ts'
import { gatewayTest } from '../harness/fixtures.ts'

const EVENTS = '/api/v1/analytics-events'
const WAYS = ['REST', 'ingress'] as const
type Way = (typeof WAYS)[number]

/** How often the endpoint still dies after it has committed. */
let deaths = 0
const dying = atFailPoints((point) => {
  if (point === 'record the events' && deaths-- > 0) throw new Error('died')
})
const test = gatewayTest.extend('services', { scope: 'file' }, { hooks: [dying] })

test.beforeEach(({ db }) => clear(db))

interface Answer<Data> {
  status: number
  json: { data?: Data; meta?: unknown; error?: { code: string; message: string; details?: unknown } }
}

async function post(stack: Stack, gateway: TestGateway, way: Way, body: string): Promise<Answer<CreateInteractionResponse>> {
  const url = way === 'REST' ? gateway.url + EVENTS : `${stack.ingressUrl}/Analytic/RecordEvents`
  const answer = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
  const json = (await answer.json()) as object
  return { status: answer.status, json: way === 'REST' || answer.status !== 200 ? json : { data: json as never } }
}

const send = (stack: Stack, gateway: TestGateway, way: Way, events: unknown[]) =>
  post(stack, gateway, way, JSON.stringify({ events }))

async function get<Data>(gateway: TestGateway, path: string): Promise<Answer<Data>> {
  const answer = await fetch(gateway.url + path)
  return { status: answer.status, json: (await answer.json()) as Answer<Data>['json'] }
}

async function run(gateway: TestGateway, query: string): Promise<ReportAnswer> {
  const { status, json } = await get<ReportAnswer>(gateway, `/api/v1/reports/volume-by-period/run?${query}`)
  expect(status).toBe(200)
  return json.data!
}

function event(values: object = {}) {
  const common = { source: 'erp', external_ref: 'job-1', entity_id: 'order-1', status: 'success' }
  return { ...common, occurred_at: '2026-03-01T12:00:00Z', ...values }
}

test.for(WAYS)('events are recorded once, through %s, and each is judged by itself', async (way, { db, stack, gateway }) => {
  await send(stack, gateway, way, [event({ source: 'old' })])
  await sql`update event_source set is_active = false where slug = 'old'`.execute(db)
  const events = [
    event({ amount: 1, currency: 'EUR', payload: { a: 1 } }),
    null,
    event(),
    event({ external_ref: 'job-2', nonsense: 'NESTED' }),
    event({ external_ref: 'job-3', occurred_at: '1999-01-01T00:00:00Z' }),
    event({ source: 'old', external_ref: 'job-4' }),
    event({ external_ref: 'job-5', occurred_at: new Date(Date.now() + 6 * 60_000).toISOString() }),
  ]
  const body = JSON.stringify({ events }).replace('"NESTED"', `${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}`)
  const { status, json } = await post(stack, gateway, way, body)
  expect(status).toBe(200)
  const { rejected, ...counts } = json.data!
  expect(counts).toEqual({ accepted: 1, duplicates: 1, duplicate_indexes: [2] })
  expect(rejected.map(({ index, code, field }) => [index, code, field])).toEqual([
    [1, 'invalid', null],
    [3, 'invalid', 'nonsense'],
    [4, 'too_old', 'occurred_at'],
    [5, 'inactive_source', 'source'],
    [6, 'in_future', 'occurred_at'],
  ])
  expect((await send(stack, gateway, 'REST', [event()])).json.data).toMatchObject({ accepted: 0, duplicates: 1 })
})

test('an attempt that dies after its commit is repeated and gives the first answer', async ({ db, stack, gateway }) => {
  deaths = 2
  const { json } = await send(stack, gateway, 'REST', [event(), event(), event({ external_ref: 'job-2' })])
  expect(deaths).toBeLessThan(1)
  expect(json.data).toEqual({ accepted: 2, duplicates: 1, duplicate_indexes: [1], rejected: [] })
  const { rows } = await sql`select count(*)::int as n from dirty_mark`.execute(db)
  expect(rows).toEqual([{ n: SCOPES.length }])
})

test('each of many concurrent requests gets the outcome of its own events', async ({ stack, gateway }) => {
  const requests = Array.from({ length: 20 }, (_, n) => [event({ external_ref: `own-${n}` }), event({ external_ref: 'common' })])
  const answers = await Promise.all(requests.map((events) => send(stack, gateway, 'REST', events)))
  const accepted = answers.map(({ json }) => json.data!.accepted).toSorted((one, other) => one - other)
  expect(accepted).toEqual([...Array.from({ length: 19 }, () => 1), 2])
})

test.for([
  ['broken JSON', '{"events": [', 400],
  ['no events', '{"events": []}', 400],
  ['10,001 events', JSON.stringify({ events: Array.from({ length: 10_001 }, () => 0) }), 400],
  ['an unknown field', '{"events": [1], "nonsense": 1}', 400],
  ['17 MB', JSON.stringify({ events: ['x'.repeat(17_000_000)] }), 413],
] as const)(
  'a body with %s is refused as a whole, through REST and through the ingress',
  async ([_name, body, status], { stack, gateway }) => {
    const [rest, ingress] = [await post(stack, gateway, 'REST', body), await post(stack, gateway, 'ingress', body)]
    expect([rest.status, ingress.status]).toEqual([status, status])
  },
)

test('while Restate is down the answer is 503 and says what to do', async ({ database, stack }) => {
  const ingress = createIngress({ url: 'http://127.0.0.1:1', deadlineMs: 300 })
  const cutOff = await startGateway(database.url, stack, { ingress })
  const headers = { 'content-type': 'application/json' }
  const answer = await fetch(cutOff.url + EVENTS, { method: 'POST', headers, body: JSON.stringify({ events: [event()] }) })
  expect([answer.status, await answer.json()]).toEqual([
    503,
    { error: { code: 'unavailable', message: 'outcome unknown, send the same events again' } },
  ])
  await cutOff.stop()
})

const BUCKET = { slug: 'volume-by-period', window: 'day', buckets: ['2026-03-01'] } as const
const RANGE = 'date_from=2026-03-01&date_to=2026-03-01'
const REPORTED: ReportedEvent = {
  ...{ day: '2026-03-01', source: 'erp', status: 'success', entity: 'e-1' },
  ...{ ms: 10, amount: 5, currency: 'EUR' },
}

test('rows are cached, their freshness is not, and no gateway serves rows of an older build', async ({
  db,
  database,
  stack,
  gateway,
}) => {
  const other = await startGateway(database.url, stack)
  await buildBuckets(db, [REPORTED], { ...BUCKET, builtAt: '2026-03-02T00:00:00.000Z' })
  const first = await run(gateway, RANGE)
  expect(first).toMatchObject({ cache_hit: false, complete: true, row_count: 1 })
  const second = await run(gateway, RANGE)
  expect(timeless(second)).toEqual({ ...timeless(first), cache_hit: true })
  expect(await run(gateway, `${RANGE}&limit=1`)).toMatchObject({ cache_hit: false })
  await run(other, RANGE)

  await send(stack, gateway, 'REST', [event()])
  for (const at of [gateway, other])
    expect(await run(at, RANGE)).toMatchObject({ cache_hit: true, complete: false, row_count: 1 })

  await db.transaction().execute(async (tx) => {
    for (const table of ['metric_snapshot', 'report_bucket', 'dirty_mark']) await sql`delete from ${sql.table(table)}`.execute(tx)
    await buildBuckets(tx, [REPORTED, REPORTED], { ...BUCKET, builtAt: '2026-03-03T00:00:00.000Z' })
  })
  for (const at of [gateway, other]) {
    const report = await run(at, RANGE)
    expect(report).toMatchObject({ cache_hit: false, complete: true, fresh_as_of: '2026-03-03T00:00:00.000Z' })
    expect(report.rows[0]).toMatchObject({ event_count: 2, amounts: [{ currency: 'EUR', amount: 10 }] })
    expect(report.run_ids).not.toEqual(first.run_ids)
  }
  await other.stop()
})

test('a report with a maximum age of 0 is read each time', async ({ db, database, stack }) => {
  await sql`update report_definition set cache_ttl_seconds = 0 where slug = 'volume-by-period'`.execute(db)
  const other = await startGateway(database.url, stack)
  for (let time = 0; time < 2; time++) expect(await run(other, 'window=week')).toMatchObject({ cache_hit: false })
  await other.stop()
  await sql`update report_definition set cache_ttl_seconds = 60 where slug = 'volume-by-period'`.execute(db)
})

test('Restate and REST answer the same report', async ({ db, stack, gateway }) => {
  await buildBuckets(db, [REPORTED], { ...BUCKET, builtAt: '2026-03-02T00:00:00.000Z' })
  const analytic = stack.ingress.client(analyticApi)
  const asked = { report_slug: 'volume-by-period', date_from: '2026-03-01', date_to: '2026-03-01', breakdown: 'source' } as const
  const report = await analytic.RunReport(asked as never)
  expect(timeless(report)).toEqual({ ...timeless(await run(gateway, `${RANGE}&breakdown=source`)), cache_hit: false })
  await expect(analytic.RunReport({ ...asked, report_slug: 'nothing' } as never)).rejects.toMatchObject({ status: 404 })
  await expect(analytic.RunReport({ ...asked, status: 'failed' } as never)).rejects.toMatchObject({ status: 400 })
})

test('a search of the reports and the reports own address give the same description', async ({ gateway }) => {
  const { json } = await get<{ slug: string }[]>(gateway, '/api/v1/reports?search=counts&sort=name&order=desc')
  expect(json).toMatchObject({ data: [{ slug: 'status-counts', supported_filters: ['status'] }], meta: { row_count: 1 } })
  expect((await get(gateway, '/api/v1/reports/status-counts')).json.data).toEqual(json.data![0])
})

const BAD: [name: string, path: string, status: number, says: RegExp][] = [
  ['an unknown report', '/api/v1/reports/nothing', 404, /^there is no report nothing$/],
  ['the run of an unknown report', '/api/v1/reports/nothing/run', 404, /^there is no report nothing$/],
  ['NUL in the name of a report', '/api/v1/reports/a%00/run', 400, /slug: must not contain NUL/],
  ['an unknown window', '/api/v1/reports/top-entities/run?window=month', 400, /window/],
  ['an unknown breakdown', '/api/v1/reports/top-entities/run?breakdown=entity', 400, /breakdown/],
  [
    'a breakdown of another report',
    '/api/v1/reports/top-entities/run?breakdown=source',
    400,
    /breakdown: is not for top-entities/,
  ],
  [
    'from after to',
    '/api/v1/reports/top-entities/run?date_from=2026-03-02&date_to=2026-03-01',
    400,
    /date_from: must not be after/,
  ],
  [
    '367 days',
    '/api/v1/reports/top-entities/run?date_from=2024-12-31&date_to=2026-01-01',
    400,
    /date_from: makes a range of 367 days/,
  ],
  ['the 30th of February', '/api/v1/reports/top-entities/run?date_to=2026-02-30', 400, /date_to: must be a day such as/],
  ['limit 101', '/api/v1/reports/top-entities/run?limit=101', 400, /limit: must be a whole number from 1 to 100/],
  ['an unknown parameter', '/api/v1/reports/top-entities/run?nonsense=1', 400, /nonsense/],
  ['a source that is none', '/api/v1/reports/volume-by-period/run?source=A', 400, /source/],
  [
    'a filter of another report',
    '/api/v1/reports/top-entities/run?status=failed',
    400,
    /status: is not a filter of top-entities/,
  ],
  ['an unknown sort', '/api/v1/reports?sort=ttl', 400, /sort/],
  ['NUL in a search', '/api/v1/reports?search=%00', 400, /search/],
  ['an offset below 0', '/api/v1/audit-entries?offset=-1', 400, /offset/],
]

test.for(BAD)('%s is refused with a sentence', async ([_name, path, status, says], { gateway }) => {
  const answer = await get(gateway, path)
  expect(answer.status).toBe(status)
  expect(answer.json.error!.message).toMatch(says)
})

test('audit entries come newest first, filtered and in pages', async ({ db, gateway }) => {
  const entry = { actor: 'ada', action: 'key.create', resourceType: 'key', resourceId: 'k-1', metadata: { name: 'é' } } as const
  for (const changes of [{}, { resourceId: 'k-2' }, { actor: 'bob', action: 'key.revoke' as const }]) {
    await audit(db, { ...entry, ...changes })
  }
  const list = async (query: string) => {
    const { json } = await get<AuditEntry[]>(gateway, `/api/v1/audit-entries?${query}`)
    return [json.data!.map(({ actor, resource_id }) => `${actor} ${resource_id}`), json.meta]
  }
  expect(await list('resource_type=key')).toEqual([['bob k-1', 'ada k-2', 'ada k-1'], { row_count: 3 }])
  expect(await list('actor=ada&resource_type=key&limit=1&offset=1')).toEqual([['ada k-1'], { row_count: 2 }])
  expect((await list('limit=1'))[0]).toEqual(['bob k-1'])
  expect(await list('action=key.revoke')).toEqual([['bob k-1'], { row_count: 1 }])
  expect(await list('resource_type=key&except_actor=ada')).toEqual([['bob k-1'], { row_count: 1 }])
  const { json } = await get<AuditEntry[]>(gateway, '/api/v1/audit-entries?resource_type=key&offset=2')
  expect(json.data![0]).toEqual({
    ...{ id: expect.stringMatching(/^\d+$/) as string, at: expect.stringMatching(/^\d{4}-.*\.\d{3}Z$/) as string },
    ...{ actor: 'ada', action: 'key.create', resource_type: 'key', resource_id: 'k-1', metadata: { name: 'é' } },
  })
})

/** The last test: after the first key is created, every request needs one. */
test('events need the scope ingest, reports read, and the audit manage', async ({ db, database, stack }) => {
  const keys = await makeKeys(db)
  const guarded = await startGateway(database.url, stack)
  const statusOf = async (path: string, key: string, init: RequestInit = {}) => {
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...(init.headers as object) }
    return (await fetch(guarded.url + path, { ...init, headers })).status
  }
  const statuses = (path: string, init?: RequestInit) =>
    Promise.all([keys.ingest, keys.read, keys.manage, keys.seller, ''].map((key) => statusOf(path, key, init)))
  const write = { method: 'POST', body: JSON.stringify({ events: [event()] }) }
  expect(await statuses(EVENTS, write)).toEqual([200, 403, 403, 403, 401])
  expect(await statusOf(EVENTS, keys.shop, { ...write, headers: { origin: SHOP } })).toBe(403)
  expect(await statuses('/api/v1/reports')).toEqual([403, 200, 403, 403, 401])
  expect(await statuses('/api/v1/reports/top-entities/run')).toEqual([403, 200, 403, 403, 401])
  expect(await statuses('/api/v1/audit-entries')).toEqual([403, 403, 200, 403, 401])
  await guarded.stop()
})
