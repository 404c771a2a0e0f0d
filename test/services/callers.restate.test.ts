import { sql } from 'kysely'
import { expect } from 'vitest'
import { SERVICE_APIS } from '../../src/contract/services.ts'
import { until } from '../../src/main/embedded/until.ts'
import type { Database } from '../../src/store/database/connection.ts'
import { keepSealingKeys } from '../../src/store/alerts/alert-secret.ts'
import { restateTest as test } from '../harness/fixtures.ts'
import { HANDLER_INPUTS, PUBLIC_HANDLERS, SEALING_KEYS, SIGNING_SECRET } from '../harness/items/handler-inputs.ts'
import { query, type Stack } from '../harness/servers/stack.ts'

/** What a browser sends for a page of another site, and says of itself when the page may not set an Origin. */
const FOREIGN = {
  'another site': { origin: 'https://shop.example' },
  'a sandboxed frame or a file': { origin: 'null' },
  'a name that begins as this machine does': { origin: 'http://localhost.shop.example' },
  'another site, without an Origin': { 'sec-fetch-site': 'cross-site' },
}

const call = (stack: Stack, path: string, headers: Record<string, string>, input = HANDLER_INPUTS[path.replace(/\/send$/, '')]) =>
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
  expect(PUBLIC_HANDLERS.map((path) => path.replace(/\/.*\//, '/')).sort()).toEqual(registered.sort())
})

test.for(Object.entries(FOREIGN))('no public handler does anything for a page of %s', async ([, headers], { db, stack }) => {
  const before = await rowCounts(db)
  for (const path of PUBLIC_HANDLERS) {
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
  await keepSealingKeys(db, SEALING_KEYS)
  await sql`update access.signing_key set secret = ${SIGNING_SECRET}`.execute(db)
  const before = await rowCounts(db)
  for (const headers of [
    {},
    { origin: 'http://localhost:3000' },
    { origin: 'http://127.0.0.1:5173' },
    { origin: 'http://[::1]:3000' },
  ]) {
    for (const path of PUBLIC_HANDLERS) {
      const answer = await call(stack, path, headers)
      const text = await answer.text()
      expect([path, [200, 404, 409].includes(answer.status) ? 'taken' : text]).toEqual([path, 'taken'])
    }
  }
  await stack.settled()
  expect(await rowCounts(db)).not.toEqual(before)
})
