import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { sql } from 'kysely'
import { afterAll, expect } from 'vitest'
import { INTERACTIONS } from '../../src/cli/import/mapping/interactions.ts'
import { ruleOf } from '../../src/cli/import/mapping/rule.ts'
import { runImport } from '../../src/cli/import/run.ts'
import { analyticApi } from '../../src/contract/services.ts'
import { until } from '../../src/main/embedded/until.ts'
import type { Database } from '../../src/store/database/connection.ts'
import { verify } from '../../src/store/proof/verification.ts'
import { gatewayTest as test } from '../harness/fixtures.ts'
import { rowsWith } from '../harness/items/erased.ts'
import { post, recommended, waitForVersion } from '../harness/clients/recommendations.ts'
import { storeShop, versionOfLog, viewed } from '../harness/items/shop-with-history.ts'
import { BLOCKS } from '../harness/programs/docs.ts'
import { clear } from '../harness/servers/database.ts'
import type { TestGateway } from '../harness/servers/gateway.ts'
import { settled, type Stack } from '../harness/servers/stack.ts'

test.beforeEach(({ db }) => clear(db))

const folder = mkdtempSync(join(tmpdir(), 'footfall-erasure-'))
afterAll(() => rmSync(folder, { recursive: true }))

const PERSON = 'account:grace-hopper'
const PSEUDONYM = expect.stringMatching(/^erased-[0-9a-f]{32}$/)
const past = (minutes: number) => new Date(Date.now() - minutes * 60_000).toISOString()
const addressOf = (gateway: TestGateway, shopper: string) => `${gateway.url}/api/v1/shoppers/${encodeURIComponent(shopper)}`

async function erase(gateway: TestGateway, ...shoppers: string[]): Promise<{ id: string; certificate: { sha256: string } }[]> {
  const asked = await Promise.all(
    shoppers.map(async (shopper) => {
      const answer = await fetch(addressOf(gateway, shopper), { method: 'DELETE' })
      expect(answer.status).toBe(202)
      return ((await answer.json()) as { data: { id: string } }).data.id
    }),
  )
  const runOf = async (id: string) => {
    const answer = await fetch(`${gateway.url}/api/v1/erasures/${id}`)
    return ((await answer.json()) as { data: { id: string; status: string; certificate: { sha256: string } } }).data
  }
  const areDone = async () => (await Promise.all(asked.map(runOf))).every(({ status }) => status === 'completed')
  expect(await until(areDone, 60_000)).toBe(true)
  return Promise.all(asked.map(runOf))
}

async function exportOf(gateway: TestGateway, shopper = PERSON): Promise<string[]> {
  const answer = await fetch(`${addressOf(gateway, shopper)}/export`)
  expect(answer.status).toBe(200)
  return (await answer.text()).split('\n').filter(Boolean)
}

/** Has items rejected by a handler. @returns their keys, in order. */
async function rejected(db: Database, call: () => Promise<unknown>): Promise<{ batch_id: string; index: number }[]> {
  await call()
  const { rows } = await sql<{ batch_id: string; index: number }>`
    select batch_id::text, index from rejected_interaction where replayed_at is null order by batch_id, index`.execute(db)
  return rows
}

const logOf = async (db: Database) =>
  (
    await sql`
      select event_type as type, ref_id as product, account_id as account, session_id as session, metadata, host(ip_address) as address
      from interaction order by ref_id`.execute(db)
  ).rows

test('rejected events that are replayed after the erasure are under pseudonyms, with their stars', async ({
  db,
  gateway,
  stack,
}) => {
  const client = stack.ingress.client(analyticApi)
  const base = {
    account_id: 'grace-hopper',
    session_id: 'tab',
    ref_type: 'Product',
    occurred_at: past(30),
    ip_address: '192.0.2.3',
  }
  const keys = await rejected(db, () =>
    client.CreateInteraction({
      interactions: [
        { ...base, event_type: 'view', ref_id: 7.5, metadata: { note: 'a moth' } },
        { ...base, event_type: 'rating_high', ref_id: 8.5, metadata: { rating: 4.5, remark: 'a moth' } },
        { ...base, account_id: 'bob', session_id: 'tab-of-bob', event_type: 'view', ref_id: 9.5 },
      ],
    }),
  )
  expect(keys).toHaveLength(3)
  await erase(gateway, PERSON)
  expect(await exportOf(gateway)).toEqual([])
  for (const [n, key] of keys.entries())
    expect(await client.ReplayRejected({ ...key, set: { ref_id: `p${n}` } })).toMatchObject({ outcome: 'accepted' })
  // A correction that names the person is of before the erasure, too.
  const [more] = await rejected(db, () =>
    client.CreateInteraction({ interactions: [{ ...base, account_id: 'nobody', event_type: 'view', ref_id: 7.5 }] }),
  )
  const correction = { ref_id: 'p3', account_id: 'grace-hopper' }
  expect(await client.ReplayRejected({ ...more!, set: correction })).toMatchObject({ outcome: 'accepted' })
  await stack.settled()
  expect(await logOf(db)).toEqual([
    { type: 'view', product: 'p0', account: PSEUDONYM, session: null, metadata: null, address: null },
    { type: 'rating_high', product: 'p1', account: PSEUDONYM, session: null, metadata: { rating: 4.5 }, address: null },
    expect.objectContaining({ product: 'p2', account: 'bob', address: '192.0.2.3' }),
    { type: 'view', product: 'p3', account: PSEUDONYM, session: null, metadata: null, address: null },
  ])
  expect(await exportOf(gateway)).toEqual([])
  expect((await verify(db)).drift).toEqual([])
})

test('a refund that was refused is replayed after the erasure, when its sale is known', async ({ db, gateway, stack }) => {
  const client = stack.ingress.client(analyticApi)
  const callback = (id: string, status: string, minutes: number) => ({
    ...{ provider: 'acme-pay', callback_id: id, payment_ref: 'pay-1', order_id: 'o-1', status, currency: 'EUR' },
    ...{ account_id: 'grace-hopper', occurred_at: past(minutes) },
  })
  const items = [{ product_id: 'lamp', seller_id: 'north', quantity: 1, unit_price: 500 }]
  await client.RecordPayment({ ...callback('sale', 'success', 40), items } as never)
  const [key] = await rejected(db, () =>
    client.RecordPayment({ ...callback('too-much', 'refunded', 30), items: [{ ...items[0]!, quantity: 3 }] } as never),
  )
  expect(key).toBeDefined()
  await erase(gateway, PERSON)
  expect(await rowsWith(db, ['grace-hopper'])).toEqual([])
  const again = await client.ReplayRejected(key!)
  expect(['rejected', 'duplicate', 'accepted']).toContain(again.outcome)
  expect(await rowsWith(db, ['grace-hopper'])).toEqual([])
  // The provider sends it again.
  await client.RecordPayment({ ...callback('too-much', 'refunded', 30), items: [{ ...items[0]!, quantity: 3 }] } as never)
  expect(await rowsWith(db, ['grace-hopper'])).toEqual([])
  await stack.settled()
  expect(await exportOf(gateway)).toEqual([])
  expect((await verify(db)).drift).toEqual([])
})

async function importFile(stack: Stack, lines: readonly string[]) {
  const path = join(folder, 'old.csv')
  writeFileSync(path, ['time,kind,product,user,note', ...lines].join('\n'))
  const rules = ['occurred_at=time', 'event_type=kind', 'ref_id=product', 'account_id=user', 'metadata.note=note']
  const [tally] = await runImport(
    {
      kind: INTERACTIONS,
      paths: [path],
      form: {},
      rules: rules.map((rule) => ruleOf('map', rule, INTERACTIONS)),
      values: new Map() as never,
      time: { offsetMinutes: 0 },
      mayMissColumns: false,
      ingressUrl: stack.ingressUrl,
      batchRows: 3,
      inFlightMax: 2,
      patienceMs: 30_000,
      rejectedPath: join(folder, 'rejected.jsonl'),
    },
    { report: () => undefined, counting: () => undefined, stalled: () => undefined, stop: () => undefined },
  )
  const { accepted, duplicates, rejected: refused } = tally!
  return { accepted, duplicates, rejected: refused }
}

test('an old file that is imported after the erasure brings nothing of the person back', async ({ db, gateway, stack }) => {
  const line = (user: string, n: number) => `${past(60 * n).slice(0, 16)}:00Z,view,p${n},${user},a moth`
  const lines = [...[1, 2, 3, 4].map((n) => line('grace-hopper', n)), line('bob', 5)]
  expect(await importFile(stack, lines)).toEqual({ accepted: 5, duplicates: 0, rejected: 0 })
  await stack.settled()
  await erase(gateway, PERSON)
  // The same rows, and rows that were not imported before.
  const more = [...lines, line('grace-hopper', 6), line('grace-hopper', 7)]
  expect(await importFile(stack, more)).toEqual({ accepted: 2, duplicates: 5, rejected: 0 })
  expect(await importFile(stack, more)).toEqual({ accepted: 0, duplicates: 7, rejected: 0 })
  await stack.settled()
  expect(await rowsWith(db, ['grace-hopper'])).toEqual([])
  expect(await exportOf(gateway)).toEqual([])
  expect((await verify(db)).drift).toEqual([])
  expect((await logOf(db)).filter((row) => (row as { metadata: unknown }).metadata !== null)).toHaveLength(1)
})

test.for(['account:a:b:c', 'account:zoë/…?#&=+', 'session:order:100%25', 'account:.. /', 'account:%2e%2e'])(
  'the shopper %s is erased by its address',
  { timeout: 60_000 },
  async (shopper, { db, gateway, stack }) => {
    const at = shopper.indexOf(':')
    const id = shopper.slice(at + 1)
    const event = {
      [`${shopper.slice(0, at)}_id`]: id,
      event_type: 'view',
      ref_type: 'Product',
      ref_id: 'lamp',
      occurred_at: past(5),
    }
    await stack.ingress.client(analyticApi).CreateInteraction({ interactions: [event, { ...event, ref_id: 'desk' }] })
    await stack.settled()
    expect(await exportOf(gateway, shopper)).toHaveLength(6)
    await erase(gateway, shopper)
    expect(await exportOf(gateway, shopper)).toEqual([])
    expect(await rowsWith(db, [`"${id}"`, `(${id},`, `,${id},`])).toEqual([])
    expect((await verify(db)).drift).toEqual([])
  },
)

test(
  'many requests for one person, by its account and sessions, are one run',
  { timeout: 60_000 },
  async ({ db, gateway, stack }) => {
    const event = { event_type: 'view', ref_type: 'Product', ref_id: 'lamp', occurred_at: past(5) }
    const interactions = [0, 1, 2].map((n) => ({ ...event, session_id: `tab-of-grace-${n}` }))
    await stack.ingress.client(analyticApi).CreateInteraction({ interactions })
    for (const n of [0, 1, 2]) {
      const answer = await fetch(`${addressOf(gateway, `session:tab-of-grace-${n}`)}/merge`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ account_id: 'grace-hopper' }),
      })
      expect(answer.status).toBe(200)
    }
    await settled(db)
    const sessions = [0, 1, 2].map((n) => `session:tab-of-grace-${n}`)
    await erase(gateway, PERSON, ...sessions, PERSON)
    const { rows } = await sql<{ merges: number }>`
    select sum(c.erased)::int as merges from erasure_count c where table_name = 'shopper_redirect'`.execute(db)
    expect(rows).toEqual([{ merges: 3 }])
    expect(await rowsWith(db, ['grace-hopper', 'tab-of-grace'])).toEqual([])
    for (const shopper of [PERSON, ...sessions]) expect(await exportOf(gateway, shopper)).toEqual([])
  },
)

test(
  'the documented command computes the hash of the certificate in the audit trail',
  { timeout: 60_000 },
  async ({ gateway, stack }) => {
    const event = { account_id: 'grace-hopper', event_type: 'view', ref_type: 'Product', ref_id: 'lamp', occurred_at: past(5) }
    await stack.ingress.client(analyticApi).CreateInteraction({ interactions: [event] })
    await stack.settled()
    const [run] = await erase(gateway, PERSON)
    const block = BLOCKS.find(({ page, text }) => page === 'docs/shoppers.md' && text.includes('action=erasure.complete'))!
    const command = block.text.slice(block.text.indexOf('curl')).replaceAll('http://127.0.0.1:3000', gateway.url)
    const { stdout } = await promisify(execFile)('sh', ['-ec', command])
    const [inEntry, computed, text] = stdout.trimEnd().split('\n')
    expect([inEntry, computed]).toEqual([run!.certificate.sha256, run!.certificate.sha256])
    expect(text!.startsWith(`{"run_id":"${run!.id}","erased_at":"`)).toBe(true)
    expect(createHash('sha256').update(text!).digest('hex')).toBe(computed)
  },
)

test(
  'recommendations know nothing of an erased person, and what was shown has a pseudonym',
  { timeout: 60_000 },
  async ({ db, gateway, stack }) => {
    await storeShop(db)
    await viewed(db, { accountId: 'grace-hopper' }, ['p01', 'p02', 'p03', 'p04'])
    await waitForVersion(gateway, await versionOfLog(db), stack)
    const live = { account_id: 'grace-hopper', event_type: 'view', ref_type: 'Product', ref_id: 'p05' }
    expect((await post(gateway, 'event', live)).status).toBe(202)
    const before = await recommended(gateway, 'account_id=grace-hopper')
    expect(before.meta).toMatchObject({ strategy: 'personal', interactions: 5 })
    await settled(db)
    const hasExported = async () => (await exportOf(gateway)).some((line) => line.includes(before.meta.recommendation_id))
    expect(await until(hasExported, 20_000)).toBe(true)
    await erase(gateway, PERSON)
    expect(await rowsWith(db, ['grace-hopper'])).toEqual([])
    const { rows } = await sql`
    select shopper_id as shopper from impression where recommendation_id = ${before.meta.recommendation_id}::uuid`.execute(db)
    expect(rows).toEqual([{ shopper: expect.stringMatching(/^account:erased-/) as string }])
    // The gateway forgets the live event, too.
    const after = await recommended(gateway, 'account_id=grace-hopper')
    expect(after.meta).toMatchObject({ strategy: 'popular', interactions: 0 })
  },
)
