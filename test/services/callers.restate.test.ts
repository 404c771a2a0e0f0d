import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { expect } from 'vitest'
import { SERVICE_APIS } from '../../src/contract/services.ts'
import { until } from '../../src/main/embedded/until.ts'
import type { Database } from '../../src/store/database/connection.ts'
import { restateTest as test } from '../harness/fixtures.ts'
import { query, type Stack } from '../harness/servers/stack.ts'

const occurred_at = '2026-03-01T12:00:00.000Z'
const view = { event_id: randomUUID(), occurred_at, account_id: 'ada', event_type: 'view', ref_type: 'Product', ref_id: 'lamp' }
const search = { event_id: randomUUID(), occurred_at, query: 'lamp', product_ids: ['lamp'] }
const payment = {
  provider: 'acme-pay',
  callback_id: 'cb-1',
  payment_ref: 'pay-1',
  order_id: 'order-1',
  status: 'success',
  currency: 'EUR',
  account_id: 'ada',
  occurred_at,
  items: [{ product_id: 'lamp', seller_id: 'north', quantity: 1, unit_price: 500 }],
}
const run = '019cb2f8-9d00-7c3e-8f5a-5b0f2a6d9c11'

/** A valid input of each public handler, by its address at the ingress. */
const INPUTS: Record<string, object> = {
  'Analytic/CreateInteraction': { interactions: [view] },
  'Analytic/RecordSearch': search,
  'Analytic/RecordSearches': { searches: [search] },
  'Analytic/RecordSearchClick': { occurred_at, query: 'lamp', product_id: 'lamp', session_id: 's' },
  'Analytic/RecordPayment': payment,
  'Analytic/RecordPayments': { callbacks: [{ ...payment, callback_id: 'cb-2', payment_ref: 'pay-2' }] },
  'Analytic/SellerDashboard': { seller_id: 'north' },
  'Analytic/RecordEvents': {
    events: [{ source: 'acme-pay', external_ref: 'e-1', entity_id: 'order-1', status: 'success', occurred_at }],
  },
  'Analytic/RunReport': { report_slug: 'volume-by-period' },
  'Analytic/ReplayRejected': { batch_id: '1', index: 0 },
  'Analytic/Verify': {},
  'Popularity/Top': {},
  'Popularity/Popular': {},
  'Popularity/Get': { product_id: 'lamp' },
  'Catalog/UpsertProducts': { products: [{ product_id: 'lamp', name: 'Lamp', updated_at: occurred_at }] },
  'Catalog/GetProduct': { product_id: 'lamp' },
  [`RecomputeRun/${run}/Start`]: {
    report_slug: 'volume-by-period',
    window: 'day',
    date_from: '2026-03-01',
    date_to: '2026-03-01',
    actor: 'test',
  },
  [`RecomputeRun/${run}/Status`]: {},
  [`RecomputeRun/${run}/Cancel`]: { actor: 'test' },
  'Schedule/sweep/Start': { every_ms: 3_600_000 },
  'Schedule/sweep/Info': {},
  'Schedule/sweep/Stop': {},
}
const PATHS = Object.keys(INPUTS)

/** What a browser sends for a page of another site, and says of itself when the page may not set an Origin. */
const FOREIGN = {
  'another site': { origin: 'https://shop.example' },
  'a sandboxed frame or a file': { origin: 'null' },
  'a name that begins as this machine does': { origin: 'http://localhost.shop.example' },
  'another site, without an Origin': { 'sec-fetch-site': 'cross-site' },
}

const call = (stack: Stack, path: string, headers: Record<string, string>, input = INPUTS[path.replace(/\/send$/, '')]) =>
  fetch(`${stack.ingressUrl}/${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(input),
  })

/** The number of rows of every table. */
async function rowCounts(db: Database): Promise<Record<string, number>> {
  const { rows } = await sql<{ name: string; rows: number }>`
    select format('%I.%I', schemaname, tablename) as name,
           (xpath('/row/n/text()', query_to_xml(format('select count(*) as n from %I.%I', schemaname, tablename),
                                                false, true, '')))[1]::text::int as rows
    from pg_tables where schemaname not in ('pg_catalog', 'information_schema')`.execute(db)
  return Object.fromEntries(rows.map(({ name, rows }) => [name, rows]))
}

/** Resolves when no call is on its way. A schedule's next tick would be one. */
const quiet = async (stack: Stack) =>
  expect(
    await until(
      async () => (await query(stack, "select id from sys_invocation where status <> 'completed'")).length === 0,
      10_000,
    ),
  ).toBe(true)

test('there is a valid input here for every public handler', async ({ stack }) => {
  const answer = await fetch(`${stack.adminUrl}/services`)
  const { services } = (await answer.json()) as { services: { name: string; handlers: { name: string; public: boolean }[] }[] }
  const registered = services.flatMap(({ name, handlers }) => handlers.filter((h) => h.public).map((h) => `${name}/${h.name}`))
  expect(services.map(({ name }) => name).sort()).toEqual(SERVICE_APIS.map(({ name }) => name as string).sort())
  expect(PATHS.map((path) => path.replace(/\/.*\//, '/')).sort()).toEqual(registered.sort())
})

test.for(Object.entries(FOREIGN))('no public handler does anything for a page of %s', async ([, headers], { db, stack }) => {
  const before = await rowCounts(db)
  for (const path of PATHS) {
    const answer = await call(stack, path, headers)
    expect([path, answer.status]).toEqual([path, 403])
    expect(await answer.json()).toMatchObject({ message: 'calls of web pages elsewhere are refused', source: 'invocation' })
    // Restate takes the call, and the handler refuses it.
    expect((await call(stack, `${path}/send`, headers)).status).toBe(202)
    // A GET has no body, which every handler needs.
    for (const get of [path, `${path}/send`]) {
      const answered = await fetch(`${stack.ingressUrl}/${get}`, { headers })
      expect([get, answered.status]).toEqual([get, get === path ? 400 : 202])
    }
  }
  await quiet(stack)
  expect(await rowCounts(db)).toEqual(before)
  expect(await (await call(stack, 'Schedule/sweep/Info', {})).json()).toMatchObject({ running: false })
})

test('every public handler takes these inputs from a service, and from a page of this machine', async ({ db, stack }) => {
  const before = await rowCounts(db)
  for (const headers of [
    {},
    { origin: 'http://localhost:3000' },
    { origin: 'http://127.0.0.1:5173' },
    { origin: 'http://[::1]:3000' },
  ]) {
    for (const path of PATHS) {
      const answer = await call(stack, path, headers)
      const text = await answer.text()
      expect([path, [200, 404, 409].includes(answer.status) ? 'taken' : text]).toEqual([path, 'taken'])
    }
  }
  await stack.settled()
  expect(await rowCounts(db)).not.toEqual(before)
})
