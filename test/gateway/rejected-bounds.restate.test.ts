import { sql } from 'kysely'
import { describe, expect } from 'vitest'
import { rejectedIdOf } from '../../src/contract/rejected.ts'
import { analyticApi } from '../../src/contract/services.ts'
import { refusalOf } from '../../src/ingress/refusal.ts'
import type { Database } from '../../src/store/database/connection.ts'
import { gatewayTest } from '../harness/fixtures.ts'
import { SETTINGS, startGateway } from '../harness/servers/gateway.ts'
import { SILENT_OBSERVER } from '../harness/servers/silent-observer.ts'
import { ask, INGEST, makeKeys, type TestKeys } from '../harness/items/keys.ts'

/** So little that a few events use it up. */
const LIMITS = { secretBytes: 1_000_000, publishableBytes: 30_000, addressBytes: 10_000 }

/** `bounded` is a gateway with these limits, for one test. */
const test = gatewayTest.extend('bounded', async ({ database, stack }, { onCleanup }) => {
  const counted = { notKept: 0 }
  const gateway = await startGateway(database.url, stack, {
    limits: { rejectionLimits: LIMITS },
    settings: { ...SETTINGS, trustedProxies: '127.0.0.1' },
    observer: { ...SILENT_OBSERVER, notKept: (count) => void (counted.notKept += count) },
  })
  onCleanup(gateway.stop)
  return { url: gateway.url, counted }
})

let keys: TestKeys
test.beforeAll(async ({ db }) => {
  keys = await makeKeys(db)
})
test.beforeEach(async ({ db }) => {
  await sql`truncate rejected_interaction`.execute(db)
})

/** An invalid item of about so many bytes. `name` is how it is found again. */
const wrong = (name: string, bytes: number) => ({ ...right(name), nonsense: 'x'.repeat(bytes) })
const right = (name: string) => ({ session_id: name, event_type: 'view', ref_type: 'Product', ref_id: 'lamp' })
const body = (...interactions: unknown[]) => JSON.stringify({ interactions })

const kept = async (db: Database) => {
  const { rows } = await sql<{ name: string; bytes: number; from: number | null; batch_id: string; index: number }>`
    select substring(item from 'session_id":"([^"]*)') as name, octet_length(item) as bytes, cut_from_bytes as from,
      batch_id, index
    from rejected_interaction order by 1`.execute(db)
  return rows
}

test('large rejected items of publishable keys are cut, and of secret keys kept whole, also in one flush', async ({
  db,
  gateway,
}) => {
  const requests = Array.from({ length: 12 }, (_, n) => {
    const name = `${n % 2 === 0 ? 'page' : 'service'} ${String(n).padStart(2, '0')}`
    return ask(gateway.url, {
      key: n % 2 === 0 ? keys.shop : keys.ingest,
      body: body(right(name), wrong(`${name} small`, 100), wrong(`${name} large`, 40_000), right(name)),
      // Some are calls of their own, and some are not waited for.
      headers: { ...(n % 3 === 1 && { 'idempotency-key': name }), ...(n % 4 === 2 && { prefer: 'respond-async' }) },
    })
  })
  for (const { status } of await Promise.all(requests)) expect([200, 202]).toContain(status)
  await expect.poll(async () => (await kept(db)).length, { timeout: 30_000 }).toBe(24)
  for (const { name, bytes, from } of await kept(db)) {
    const isCut = name.startsWith('page') && name.endsWith('large')
    expect({ name, bytes: bytes > 32_768 ? 'more' : bytes, from: from === null ? null : 'size' }).toEqual({
      name,
      bytes: isCut ? 32_768 : name.endsWith('large') ? 'more' : expect.any(Number),
      from: isCut ? 'size' : null,
    })
  }
})

test('an item over 2 MiB is cut for every key, and cannot be replayed', async ({ db, stack, gateway }) => {
  const answer = await ask(gateway.url, { key: keys.ingest, body: body(wrong('whole', 2_000_000), wrong('cut', 2_200_000)) })
  expect(answer.status).toBe(200)
  const [cut, whole] = await kept(db)
  expect([cut, whole]).toMatchObject([
    { name: 'cut', bytes: 32_768 },
    { name: 'whole', from: null },
  ])
  const replay = ({ batch_id, index }: NonNullable<typeof cut>) =>
    stack.ingress.client(analyticApi).ReplayRejected({ batch_id, index })
  expect(refusalOf(await replay(cut!).catch((error: unknown) => error))).toMatchObject({
    status: 409,
    message: `${rejectedIdOf(cut!)} cannot be replayed: of its ${cut!.from} bytes only the first were kept`,
  })
  expect(await replay(whole!)).toMatchObject({ outcome: 'rejected', rejection: { field: 'nonsense' } })
  const listed = await ask(gateway.url, {
    key: keys.manage,
    path: `${INGEST.replace('interaction', 'rejected')}?limit=1&replayed=true`,
    method: 'GET',
  })
  expect(listed.status).toBe(200)
})

describe('beyond what is kept of a key in an hour', () => {
  const bytesKept = async (db: Database) => (await kept(db)).reduce((sum, { bytes }) => sum + bytes + 200, 0)
  const from = (address: string) => ({ 'x-forwarded-for': address })
  const recorded = async (db: Database, name: string) => {
    const { rows } = await sql<{ n: number }>`select count(*)::int as n from interaction where session_id = ${name}`.execute(db)
    return rows[0]!.n
  }

  test('invalid events are answered and not kept, valid ones recorded, and other addresses and keys lose nothing', async ({
    db,
    bounded: { url, counted },
  }) => {
    const flood = Array.from({ length: 40 }, () =>
      ask(url, {
        key: keys.shop,
        headers: from('10.0.0.1'),
        body: body(right('flood'), wrong('flood', 1_000), right('flood'), 7),
      }),
    )
    for (const { status, json } of await Promise.all(flood)) {
      expect({ status, json }).toMatchObject({
        status: 200,
        json: {
          data: {
            accepted: 2,
            rejected: [
              { index: 1, field: 'nonsense' },
              { index: 3, field: null },
            ],
          },
        },
      })
    }
    expect(await recorded(db, 'flood')).toBe(80)
    expect(await bytesKept(db)).toBeLessThanOrEqual(LIMITS.addressBytes)
    expect(counted.notKept).toBe(80 - (await kept(db)).length)
    const before = (await kept(db)).length
    await ask(url, { key: keys.shop, headers: from('10.0.0.2'), body: body(wrong('bystander', 1_000)) })
    await ask(url, { key: keys.ingest, headers: from('10.0.0.1'), body: body(wrong('service', 1_000)) })
    expect((await kept(db)).length - before).toBe(2)
  })

  test('many addresses together keep no more than the bound of their key', async ({ db, bounded: { url } }) => {
    const flood = Array.from({ length: 60 }, (_, n) =>
      ask(url, { key: keys.shop, headers: from(`10.1.0.${n}`), body: body(wrong('flood', 2_000)) }),
    )
    for (const { status } of await Promise.all(flood)) expect(status).toBe(200)
    expect(await bytesKept(db)).toBeLessThanOrEqual(LIMITS.publishableBytes)
    expect((await kept(db)).length).toBeGreaterThan(5)
  })

  test('every way of sending keeps the bound', async ({ db, bounded: { url } }) => {
    const send = (headers: Record<string, string>, ...items: unknown[]) =>
      ask(url, { key: keys.shop, headers: { ...from('10.2.0.1'), ...headers }, body: body(...items) })
    const large = wrong('flood', 9_000)
    expect((await send({ prefer: 'respond-async' }, large)).status).toBe(202)
    await expect.poll(async () => (await kept(db)).length, { timeout: 30_000 }).toBe(1)
    const async = await send({ prefer: 'respond-async' }, right('async'), large)
    expect(async).toMatchObject({ status: 200, json: { data: { accepted: 1, rejected: [{ index: 1 }] } } })
    const keyed = await send({ 'idempotency-key': 'one' }, right('keyed'), large)
    expect(keyed).toMatchObject({ status: 429, json: { error: { message: expect.stringContaining('send only valid events') } } })
    expect((await send({ 'idempotency-key': 'one' }, right('keyed'))).status).toBe(200)
    expect((await send({}, large, large)).json).toMatchObject({ data: { accepted: 0, rejected: [{ index: 0 }, { index: 1 }] } })
    expect([await recorded(db, 'async'), await recorded(db, 'keyed'), (await kept(db)).length]).toEqual([1, 1, 1])
  })

  test('a request with more than 100 invalid events is turned away as a whole', async ({ db, bounded: { url } }) => {
    const send = (...items: unknown[]) => ask(url, { key: keys.shop, headers: from('10.4.0.1'), body: body(...items) })
    const many = await send(right('many'), ...Array<number>(1_000 - 1).fill(0))
    expect(many).toMatchObject({ status: 429, json: { error: { message: expect.stringContaining('more than 100 of these') } } })
    expect([await recorded(db, 'many'), await kept(db)]).toEqual([0, []])
    const service = await ask(url, { key: keys.ingest, body: body(right('many'), ...Array<number>(6_000).fill(0)) })
    expect(service).toMatchObject({ status: 200, json: { data: { accepted: 1 } } })
  })

  test('valid events use up nothing, however many come', async ({ db, bounded: { url } }) => {
    const send = (...items: unknown[]) => ask(url, { key: keys.shop, headers: from('10.3.0.1'), body: body(...items) })
    for (let n = 0; n < 30; n++) await send(...Array.from({ length: 10 }, () => right('busy')))
    await send(wrong('busy', 100))
    expect((await kept(db)).map(({ name }) => name)).toEqual(['busy'])
  })
})
