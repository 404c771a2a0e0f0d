import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { expect } from 'vitest'
import { until } from '../../src/main/embedded/until.ts'
import { verify } from '../../src/store/proof/verification.ts'
import { gatewayTest } from '../harness/fixtures.ts'
import { rowsWith } from '../harness/items/erased.ts'
import { clear } from '../harness/servers/database.ts'
import { failingOnce } from '../harness/servers/fail-points.ts'
import type { TestGateway } from '../harness/servers/gateway.ts'
import { query, settled } from '../harness/servers/stack.ts'

const failing = failingOnce()
const test = gatewayTest.extend('services', { scope: 'file' }, { hooks: [failing.hook] })

test.beforeEach(({ db }) => clear(db))

const PERSON = 'account:grace-hopper'

const send = (gateway: TestGateway, path: string, body: object) =>
  fetch(`${gateway.url}${path}`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })

async function record(gateway: TestGateway, events: readonly object[]) {
  const interactions = events.map((event) => ({ event_type: 'view', ref_type: 'Product', ref_id: 'lamp', ...event }))
  const answer = await send(gateway, '/api/v1/analytic/interaction', { interactions })
  return (await answer.json()) as { data: { accepted: number; duplicates: number } }
}

async function erase(
  gateway: TestGateway,
  shopper = PERSON,
): Promise<{ id: string; status: string; certificate?: { tables: object } }> {
  const answer = await fetch(`${gateway.url}/api/v1/shoppers/${shopper}`, {
    method: 'DELETE',
    headers: { 'x-actor': 'the privacy desk' },
  })
  expect(answer.status).toBe(202)
  const { data } = (await answer.json()) as { data: { id: string } }
  const run = async () =>
    ((await (await fetch(`${gateway.url}/api/v1/erasures/${data.id}`)).json()) as { data: Awaited<ReturnType<typeof erase>> })
      .data
  expect(await until(async () => (await run()).status === 'completed', 60_000)).toBe(true)
  return run()
}

const exportOf = async (gateway: TestGateway, shopper = PERSON) => {
  const answer = await fetch(`${gateway.url}/api/v1/shoppers/${shopper}/export`)
  expect(answer.headers.get('content-type')).toBe('application/x-ndjson')
  return (await answer.text()).split('\n').filter(Boolean)
}

test(
  'a person is exported and erased over HTTP, and what was sent before is a duplicate',
  { timeout: 120_000 },
  async ({ db, gateway, stack }) => {
    const occurred_at = new Date(Date.now() - 60_000).toISOString()
    const events = [
      { event_id: randomUUID(), occurred_at, account_id: 'grace-hopper', ip_address: '192.0.2.3', metadata: { note: 'a moth' } },
      { event_id: randomUUID(), occurred_at, session_id: 'tab-of-grace' },
      { event_id: randomUUID(), occurred_at, account_id: 'bob' },
    ]
    expect((await record(gateway, events)).data).toMatchObject({ accepted: 3 })
    expect((await send(gateway, '/api/v1/shoppers/session:tab-of-grace/merge', { account_id: 'grace-hopper' })).status).toBe(200)
    await settled(db)
    const tables = (await exportOf(gateway)).map((line) => (JSON.parse(line) as { table: string }).table)
    expect(tables.filter((table) => table === 'interaction')).toHaveLength(2)
    // Every part is killed once after its work.
    for (const point of [
      'request the erasure',
      'begin the erasure',
      'erase the next part',
      'answer of Start',
      'answer of Execute',
    ])
      failing.left.add(point)
    const run = await erase(gateway)
    expect(run.certificate!.tables).toMatchObject({ interaction: 2, shopper_product: 2, shopper_redirect: 1 })
    expect([...failing.left]).toEqual([])
    expect(await exportOf(gateway)).toEqual([])
    expect(await rowsWith(db, ['grace-hopper', 'tab-of-grace', '192.0.2.3', 'a moth'])).toEqual([])
    expect((await verify(db)).drift).toEqual([])
    expect((await record(gateway, events)).data).toMatchObject({ accepted: 0, duplicates: 3 })
    // Late, and back again.
    const late = { event_id: randomUUID(), occurred_at, account_id: 'grace-hopper' }
    expect((await record(gateway, [late])).data).toMatchObject({ accepted: 1 })
    await settled(db)
    expect(await exportOf(gateway)).toEqual([])
    expect((await record(gateway, [{ account_id: 'grace-hopper' }])).data).toMatchObject({ accepted: 1 })
    await settled(db)
    expect((await exportOf(gateway)).length).toBeGreaterThan(0)
    expect((await verify(db)).drift).toEqual([])
    const exports = async () =>
      ((await (await fetch(`${gateway.url}/api/v1/exports`)).json()) as { data: { id: string; status: string; rows: number }[] })
        .data
    expect(await until(async () => (await exports()).every(({ status }) => status === 'completed'), 30_000)).toBe(true)
    expect((await exports()).map(({ rows: sent }) => sent > 0)).toEqual([true, false, false, true])
    // Restate keeps no input of a call that has ended.
    const journals = await query(stack, `select id, raw from sys_journal`)
    expect(JSON.stringify(journals)).not.toContain('grace-hopper')
    const { rows } = await sql<{ action: string; actor: string }>`
    select action, actor from audit_entry where resource_id = ${run.id} order by audit_id`.execute(db)
    expect(rows.map(({ action, actor }) => `${action} ${actor}`)).toEqual([
      'erasure.request local',
      'erasure.start footfall',
      'erasure.complete footfall',
    ])
  },
)

test('bad requests are refused with what is wrong', async ({ gateway }) => {
  const ask = async (method: string, path: string) => (await fetch(`${gateway.url}${path}`, { method })).status
  for (const shopper of ['ada', 'user:ada', 'account:', `session:${'x'.repeat(201)}`]) {
    expect(await ask('DELETE', `/api/v1/shoppers/${shopper}`)).toBe(400)
    expect(await ask('GET', `/api/v1/shoppers/${shopper}/export`)).toBe(400)
  }
  expect(await ask('GET', `/api/v1/erasures/${randomUUID()}`)).toBe(404)
  expect(await ask('GET', '/api/v1/erasures/7')).toBe(400)
  expect(await ask('GET', '/api/v1/erasures?cursor=nonsense')).toBe(400)
  expect(await exportOf(gateway, 'account:a:b:c')).toEqual([])
  expect(await exportOf(gateway, `account:${encodeURIComponent('zoë/…?')}`)).toEqual([])
})

test(
  'a person without a row is erased too, and its late events are not under its id',
  { timeout: 60_000 },
  async ({ db, gateway }) => {
    await erase(gateway, 'session:never-seen-before')
    const occurred_at = new Date(Date.now() - 60_000).toISOString()
    await record(gateway, [{ event_id: randomUUID(), occurred_at, session_id: 'never-seen-before' }])
    expect(await rowsWith(db, ['never-seen-before'])).toEqual([])
  },
)
