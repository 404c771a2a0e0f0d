import { sql } from 'kysely'
import { expect } from 'vitest'
import { judgeRecords, JudgingError } from '../../src/admission/judge-records.ts'
import { createPositions } from '../../src/consumer/positions.ts'
import { storeBatch, type StoreBatchDeps } from '../../src/consumer/store-batch.ts'
import type { KafkaRecord } from '../../src/admission/kafka-record.ts'
import type { Database } from '../../src/store/database/connection.ts'
import { FencedError, readOffsets, seek, storedOffsets } from '../../src/store/kafka/offset.ts'
import type { BatchBounds } from '../../src/store/log/batch.ts'
import { createTombstones } from '../../src/store/log/tombstone.ts'
import { catalogProduct } from '../../src/store/catalog/catalog-product.ts'
import { rejectedPage } from '../../src/store/log/rejected-item.ts'
import { erase, newTombstones, rowsWith } from '../harness/items/erased.ts'
import { NOON_MS, productEvent, recordOf } from '../harness/items/records.ts'
import { freshPgTest as test } from '../harness/fixtures.ts'

const NEVER = new AbortController().signal

/** What becomes of the batches of a consumer of partition 0 of these topics. */
async function consumerOf(db: Database, changes: Partial<StoreBatchDeps> = {}) {
  const positions = createPositions()
  const topics = ['product.updated', 'interactions']
  positions.assign(
    await readOffsets(
      db,
      topics.map((topic) => ({ topic, partition: 0, next: 0n })),
    ),
  )
  const seen = { fannedOut: [] as BatchBounds[], failures: [] as boolean[], setAside: [] as bigint[] }
  const deps: StoreBatchDeps = {
    db,
    positions,
    judge: (records) =>
      judgeRecords(records, { nowMs: NOON_MS + 60_000, currency: 'EUR', privacy: { ipAddress: 'keep', userAgent: 'keep' } }),
    privacy: { ipAddress: 'keep', userAgent: 'keep' },
    tombstones: createTombstones(undefined),
    fanOut: (batch) => seen.fannedOut.push(batch),
    observer: {
      stored: () => undefined,
      failed: (_error, isOutage) => seen.failures.push(isOutage),
      setAside: ({ offset }) => seen.setAside.push(offset),
    },
    retry: { firstMs: 1, maxMs: 2, retriesMax: 2 },
    ...changes,
  }
  return { ...seen, positions, store: (records: readonly KafkaRecord[], signal = NEVER) => storeBatch(deps, records, signal) }
}

const update = (offset: bigint, data: object = {}, envelope: object = {}) => recordOf(productEvent(data, envelope), { offset })
const view = (offset: bigint, changes: object = {}) =>
  recordOf(
    { session_id: 's-1', event_type: 'view', ref_type: 'Product', ref_id: 'lamp', ...changes },
    { kind: 'interaction', offset },
  )
const nextOf = async (db: Database) =>
  Object.fromEntries((await storedOffsets(db)).map(({ topic, next }) => [topic, Number(next)]))
const countOf = async (db: Database, table: string) =>
  Number((await sql<{ n: string }>`select count(*) as n from ${sql.table(table)}`.execute(db)).rows[0]!.n)

test('rows, rejected records and offsets are stored together, and offsets may have gaps', async ({ db }) => {
  const { store, fannedOut } = await consumerOf(db)
  const broken = recordOf(Buffer.from([0xff]), { offset: 7n, key: Buffer.from([0xfe]), headers: [['trace', Buffer.from('t')]] })
  await store([update(3n), broken, view(0n), view(1n, { ref_id: 'desk' })])
  expect(await nextOf(db)).toEqual({ 'product.updated': 8, interactions: 2 })
  expect(await catalogProduct(db, 'lamp')).toMatchObject({ seller_id: 's-1', price: 4_990, currency: 'EUR', status: 'active' })
  expect(await countOf(db, 'interaction')).toBe(2)
  expect(fannedOut).toHaveLength(1)
  const { rows } = await sql`select topic, partition, "offset", key, value, headers, code, reason from rejected_event`.execute(db)
  expect(rows).toEqual([
    {
      topic: 'product.updated',
      partition: 0,
      offset: '7',
      key: Buffer.from([0xfe]),
      value: Buffer.from([0xff]),
      headers: [['trace', 'dA==']],
      code: 'invalid',
      reason: 'is not UTF-8',
    },
  ])
  const { data } = await rejectedPage(db, { limit: 10, after: undefined, replayed: false })
  expect(data).toMatchObject([
    { index: 0, message: 'is not UTF-8', item: { topic: 'product.updated', offset: '7', value_base64: '/w==' } },
  ])
})

test('the view has a record that was cut, with its size, and a query by position reads no other text as JSON', async ({ db }) => {
  const { store } = await consumerOf(db)
  const large = Buffer.from(`{"eventId":"é${'x'.repeat(2 * 1024 * 1024)}`)
  await store([recordOf(large, { offset: 7n }), recordOf(null, { offset: 8n })])
  const { data } = await rejectedPage(db, { limit: 10, after: undefined, replayed: false })
  expect(data).toHaveLength(2)
  const { rows } = await sql<{ offset: string; value: Buffer | null; reason: string; cut: number | null }>`
    select "offset", value, reason, cut_from_bytes as cut from rejected_event where topic = 'product.updated' order by 1`.execute(
    db,
  )
  expect(rows).toMatchObject([
    { offset: '7', reason: 'is not JSON', cut: data.find(({ cut_from_bytes: cut }) => cut !== null)!.cut_from_bytes },
    { offset: '8', value: null, cut: null },
  ])
  expect(rows[0]!.cut).toBeGreaterThan(large.length)
  const value = rows[0]!.value!
  expect(value.length).toBeGreaterThan(10_000)
  expect(value.equals(large.subarray(0, value.length))).toBe(true)
  await sql`update rejected_interaction set item = 'no JSON' where cut_from_bytes is not null`.execute(db)
  expect((await sql`select from rejected_event where topic = 'product.updated'`.execute(db)).rows).toHaveLength(1)
})

test('a record that is read again is stored once, also a rejected one and an event without an id', async ({ db }) => {
  const records = [update(0n), recordOf(null, { offset: 1n }), view(0n), view(1n)]
  const first = await consumerOf(db)
  await first.store(records)
  for (const topic of ['product.updated', 'interactions']) await seek(db, { topic, partition: 0, next: 0n }, 'ada')
  const again = await consumerOf(db)
  // Other batches than before.
  await again.store(records.slice(0, 3))
  await again.store(records.slice(3))
  expect(await countOf(db, 'interaction')).toBe(2)
  expect(await countOf(db, 'rejected_event')).toBe(1)
  expect(await nextOf(db)).toEqual({ 'product.updated': 2, interactions: 2 })
  const { rows } = await sql`select actor, resource_id from audit_entry where action = 'kafka.seek'`.execute(db)
  expect(rows).toHaveLength(2)
})

test('records before the position are skipped, and a second consumer of the partition rolls back', async ({ db }) => {
  const [one, other] = [await consumerOf(db), await consumerOf(db)]
  await one.store([update(0n, { name: 'First' }), update(1n, { productId: 'desk' })])
  await expect(other.store([update(0n, { name: 'Other' }, { timestamp: NOON_MS + 1 })])).rejects.toThrow(FencedError)
  expect(await catalogProduct(db, 'lamp')).toMatchObject({ name: 'First' })
  await one.store([update(1n, { productId: 'never' }), update(2n)])
  expect(await catalogProduct(db, 'never')).toBeUndefined()
  expect(await nextOf(db)).toMatchObject({ 'product.updated': 3 })
})

test('a consumer that runs is fenced by a seek, forwards and back', async ({ db }) => {
  const consumer = await consumerOf(db)
  await consumer.store([update(0n)])
  for (const next of [0n, 50n]) {
    await seek(db, { topic: 'product.updated', partition: 0, next }, 'ada')
    await expect(consumer.store([update(60n)])).rejects.toThrow(FencedError)
  }
  expect(await nextOf(db)).toMatchObject({ 'product.updated': 50 })
})

test('at most one of two overlapping transactions of a partition commits', async ({ db }) => {
  const consumers = await Promise.all([consumerOf(db), consumerOf(db), consumerOf(db)])
  const outcomes = await Promise.allSettled(consumers.map(({ store }, n) => store([update(0n, { productId: `p-${n}` })])))
  expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  expect(await countOf(db, 'catalog.product')).toBe(1)
})

test('events of months that do not exist are recorded, and an event id that comes again with other content counts once', async ({
  db,
}) => {
  const { store, fannedOut } = await consumerOf(db)
  const old = { event_id: '0d1d5a8e-1f0a-4c8e-9a53-6a2f5f9d2b11', occurred_at: '2019-05-05T00:00:00Z' }
  await store([view(0n, old)])
  await store([view(1n, { ...old, ref_id: 'desk' })])
  const { rows } = await sql`select ref_id from interaction`.execute(db)
  expect(rows).toEqual([{ ref_id: 'lamp' }])
  expect(fannedOut).toHaveLength(2)
})

test('the newest version wins in any order, whatever its event id', async ({ db }) => {
  const { store } = await consumerOf(db)
  await store([
    update(0n, { name: 'Newest' }, { eventId: 'same', timestamp: NOON_MS + 2 }),
    update(1n, { name: 'Older' }, { eventId: 'same', timestamp: NOON_MS + 1 }),
  ])
  await store([update(2n, { name: 'Oldest' })])
  expect(await catalogProduct(db, 'lamp')).toMatchObject({ name: 'Newest' })
})

test('an older version at the place of a newer one does not win, as in a topic that was made again', async ({ db }) => {
  const { store } = await consumerOf(db)
  await store([update(0n, { name: 'Newer' }, { timestamp: NOON_MS + 1 })])
  await seek(db, { topic: 'product.updated', partition: 0, next: 0n }, 'ada')
  const again = await consumerOf(db)
  await again.store([update(0n, { name: 'Older' })])
  expect(await catalogProduct(db, 'lamp')).toMatchObject({ name: 'Newer' })
})

/** Makes PostgreSQL refuse the products with this id, with an error of this SQLSTATE. */
async function refuse(db: Database, productId: string, state: string): Promise<void> {
  await sql
    .raw(
      `create function refuse() returns trigger language plpgsql as $$ begin
        if new.product_id = '${productId}' then raise exception 'no % here', new.product_id using errcode = '${state}'; end if;
        return new; end $$;
      create trigger refuse before insert on catalog.product for each row execute function refuse()`,
    )
    .execute(db)
}

test.for([
  ['its data', '22003', 0],
  ['another reason', 'P0001', 3],
] as const)(
  'a record that PostgreSQL refuses for %s is set aside alone, after its attempts',
  async ([, state, attempts], { db }) => {
    await refuse(db, 'bad', state)
    const { store, setAside, failures } = await consumerOf(db)
    const records = ['a', 'b', 'bad', 'c', 'd', 'e', 'f'].map((productId, at) => update(BigInt(at), { productId }))
    await store(records)
    expect(setAside).toEqual([2n])
    expect(await countOf(db, 'catalog.product')).toBe(6)
    expect(await nextOf(db)).toMatchObject({ 'product.updated': 7 })
    const { data } = await rejectedPage(db, { limit: 10, after: undefined, replayed: false })
    expect(data).toMatchObject([{ code: 'refused', message: 'cannot be stored: no bad here', item: { offset: '2' } }])
    expect(failures.every((isOutage) => !isOutage)).toBe(true)
    expect(failures.length).toBeGreaterThan(attempts)
  },
)

test('a record that cannot be judged is set aside alone, and the batch is not tried again before', async ({ db }) => {
  const judge = async (records: readonly KafkaRecord[]) => {
    if (records.some(({ offset }) => offset === 2n)) throw new JudgingError('it takes too long')
    return await judgeRecords(records, {
      nowMs: NOON_MS,
      currency: 'EUR',
      privacy: { ipAddress: 'keep', userAgent: 'keep' },
    })
  }
  const { store, setAside, failures } = await consumerOf(db, { judge })
  await store([0, 1, 2, 3].map((at) => update(BigInt(at), { productId: `p-${at}` })))
  expect(setAside).toEqual([2n])
  expect(failures).toEqual([false, false, false])
  expect(await countOf(db, 'catalog.product')).toBe(3)
})

test('a record with more interactions and wrong ones than a statement takes is stored once', async ({ db }) => {
  const interactions = Array.from({ length: 1_300 }, (_, n) => ({
    session_id: `s-${n}`,
    event_type: n % 2 === 0 ? 'view' : 'No!',
    ref_type: 'Product',
    ref_id: 'lamp',
  }))
  const record = recordOf({ interactions }, { kind: 'interaction', offset: 0n })
  const first = await consumerOf(db)
  await first.store([record])
  expect(first.fannedOut).toHaveLength(2)
  await seek(db, { topic: 'interactions', partition: 0, next: 0n }, 'ada')
  await (await consumerOf(db)).store([record, view(1n)])
  expect(await countOf(db, 'interaction')).toBe(651)
  expect(await countOf(db, 'rejected_event')).toBe(650)
})

test('a record of interactions that is set aside is kept without what privacy drops, and not for an erased person', async ({
  db,
}) => {
  await sql
    .raw(
      `create function refuse() returns trigger language plpgsql as $$ begin
        raise exception 'no' using errcode = '22003'; end $$;
      create trigger refuse before insert on interaction for each row execute function refuse()`,
    )
    .execute(db)
  const tombstones = newTombstones()
  await erase(db, 'account:ada-of-the-shop')
  const privacy = { ipAddress: 'drop', userAgent: 'keep' } as const
  const { store, setAside } = await consumerOf(db, {
    tombstones,
    privacy,
    judge: (records) => judgeRecords(records, { nowMs: NOON_MS + 60_000, currency: 'EUR', privacy }),
  })
  const item = { event_type: 'view', ref_type: 'Product', ref_id: 'lamp', ip_address: '203.0.113.7' }
  const listOf = (...ids: string[]) => ({ interactions: ids.map((account_id) => ({ ...item, account_id })) })
  await store([
    recordOf(listOf('bob-of-the-shop'), { kind: 'interaction', offset: 0n }),
    recordOf(listOf('bob-of-the-shop', 'ada-of-the-shop'), { kind: 'interaction', offset: 1n }),
    recordOf({ specversion: '0.3', data: { ...item, account_id: 'ada-of-the-shop' } }, { kind: 'interaction', offset: 2n }),
  ])
  expect(setAside).toEqual([0n, 1n])
  expect(await rowsWith(db, ['ada-of-the-shop', '203.0.113.7'])).toEqual([])
  const { rows } = await sql`select "offset", value is null as "isErased" from rejected_event order by 1`.execute(db)
  expect(rows).toEqual([
    { offset: '0', isErased: false },
    { offset: '1', isErased: true },
    { offset: '2', isErased: true },
  ])
})

test('an outage is waited for without limit, and sets nothing aside', async ({ db }) => {
  await refuse(db, 'lamp', '57P03')
  const consumer = await consumerOf(db)
  const stored = consumer.store([update(0n)])
  await expect.poll(() => consumer.failures.length).toBeGreaterThan(10)
  expect(consumer.failures.every(Boolean)).toBe(true)
  await sql`drop trigger refuse on catalog.product`.execute(db)
  await stored
  expect(await countOf(db, 'catalog.product')).toBe(1)
  expect(await countOf(db, 'rejected_event')).toBe(0)
})

test('a stop ends the wait, and stores nothing', async ({ db }) => {
  await refuse(db, 'lamp', '57P03')
  const consumer = await consumerOf(db)
  const stop = new AbortController()
  const stored = consumer.store([update(0n)], stop.signal)
  await expect.poll(() => consumer.failures.length).toBeGreaterThan(0)
  stop.abort()
  await expect(stored).rejects.toThrow('aborted')
  expect(await nextOf(db)).toMatchObject({ 'product.updated': 0 })
})

test('of a person who was erased, a record that is rejected later keeps its place alone, and a kept one nothing', async ({
  db,
}) => {
  const tombstones = newTombstones()
  const { store } = await consumerOf(db, { tombstones })
  const wrong = { account_id: 'ada-of-the-shop', event_type: 'No!' }
  await store([view(0n, wrong), view(1n, { account_id: 'somebody-else', event_type: 'No!' })])
  await erase(db, 'account:ada-of-the-shop')
  await store([view(2n, wrong), view(3n, { account_id: 'ada-of-the-shop' })])
  expect(await rowsWith(db, ['ada-of-the-shop'])).toEqual([])
  expect((await rowsWith(db, ['somebody-else'])).length).toBeGreaterThan(0)
  const { rows } = await sql`select "offset", value is null as "isErased" from rejected_event order by 1`.execute(db)
  expect(rows).toEqual([
    { offset: '1', isErased: false },
    { offset: '2', isErased: true },
  ])
  expect(await countOf(db, 'interaction')).toBe(1)
})
