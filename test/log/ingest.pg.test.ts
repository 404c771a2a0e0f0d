import { sql } from 'kysely'
import { expect } from 'vitest'
import { judgeRecords } from '../../src/admission/judge-records.ts'
import type { NewAnalyticsEvent } from '../../src/admission/analytics-event.ts'
import { HOUR_MS } from '../../src/contract/fields/time.ts'
import { INGEST_KINDS, type IngestKind, type IngestResponse } from '../../src/contract/ingest.ts'
import { upsertProducts } from '../../src/store/catalog/catalog-product.ts'
import type { Database } from '../../src/store/database/connection.ts'
import { readOffsets } from '../../src/store/kafka/offset.ts'
import { storeRecords } from '../../src/store/kafka/record-batch.ts'
import { countCall, dropCountedCalls, foldIngest, type IngestCounts } from '../../src/store/log/ingest.ts'
import { keepWebhook } from '../../src/store/log/kept-webhook.ts'
import { insertReplayOf } from '../../src/store/log/rejected-replay.ts'
import { recordPayments } from '../../src/store/payments/payment-recording.ts'
import { verify } from '../../src/store/proof/verification.ts'
import { recordEvents } from '../../src/store/reports/analytics-event.ts'
import { pgTest as test } from '../harness/fixtures.ts'
import { interaction, record, recordAndCount, recordBatch, recordNewSearches, search } from '../harness/items/events.ts'
import { counted } from '../harness/items/ingest.ts'
import { newCall, NOON, payment } from '../harness/items/payments.ts'
import { product, versionOf } from '../harness/items/products.ts'
import { NOON_MS, productEvent, recordOf } from '../harness/items/records.ts'
import { clear } from '../harness/servers/database.ts'
import { startGateway } from '../harness/servers/gateway.ts'

test.beforeEach(({ db }) => clear(db))

const expectProof = async (db: Database) => expect((await verify(db)).drift).toEqual([])

const rejection = (index: number) => ({ index, code: 'invalid', field: 'ref_id', message: 'is missing', item: {} }) as const
const analytics = (externalRef: string, source = 'erp'): NewAnalyticsEvent => ({
  ...{ source, externalRef, entityId: 'order-1', status: 'success', processingMs: 7 },
  ...{ amount: null, currency: null, occurredAtMs: NOON, payload: undefined },
})
const inOrder = <Row>(rows: readonly Row[]) => rows.map((row, index) => ({ ...row, index }))

/** Each way of a call, as one attempt of it, and what a call counts. */
const WAYS: { name: IngestKind; make: (db: Database) => Promise<() => Promise<unknown>>; counts: IngestCounts }[] = [
  {
    name: 'interaction',
    counts: { accepted: 2, duplicates: 2, rejected: 2 },
    make: async (db) => {
      const before = interaction()
      await record(db, [before])
      await sql`delete from ingest_delta`.execute(db)
      await sql`update interaction_batch set items = null`.execute(db)
      const twice = interaction()
      const rows = [interaction(), before, twice, twice]
      const call = newCall()
      return () => recordBatch(db, call, inOrder(rows), [rejection(4), rejection(5)])
    },
  },
  {
    name: 'payment',
    counts: { accepted: 1, duplicates: 1, rejected: 2 },
    make: async (db) => {
      const one = payment()
      const rows = [one, one, { ...one, paymentRef: 'another' }]
      const call = newCall()
      return () => recordPayments(db, call, inOrder(rows), [rejection(3)])
    },
  },
  {
    name: 'analytics_event',
    counts: { accepted: 2, duplicates: 1, rejected: 3 },
    make: async (db) => {
      await sql`insert into event_source (slug, is_active) values ('off', false)`.execute(db)
      const rows = [analytics('1'), analytics('2'), analytics('2'), analytics('3', 'off')]
      const call = newCall()
      return () => recordEvents(db, call, inOrder(rows), undefined, 2)
    },
  },
  {
    name: 'product',
    counts: { accepted: 1, duplicates: 2, rejected: 1 },
    make: async (db) => {
      const id = newCall().invocationId
      const updated_at = new Date().toISOString()
      const versions = ['2026-01-01T00:00:00Z', updated_at, updated_at].map((at) => product({ product_id: id, updated_at: at }))
      const call = newCall()
      return () =>
        upsertProducts(
          db,
          call,
          versions.map((version, index) => versionOf(version, index)),
          1,
        )
    },
  },
]

test.for(WAYS)('a call of kind $name counts once, however many attempts of it run at the same time', async (way, { db }) => {
  const attempt = await way.make(db)
  await Promise.all([attempt(), attempt(), attempt()])
  await attempt()
  expect((await counted(db))[way.name]).toEqual(way.counts)
  await foldIngest(db)
  expect((await counted(db))[way.name]).toEqual(way.counts)
  await attempt()
  await expectProof(db)
})

test('searches are a kind of their own, and interactions of payments are not counted', async ({ db }) => {
  const one = search()
  await recordNewSearches(db, [one])
  await recordNewSearches(db, [search(), one])
  await recordPayments(db, newCall(), [payment()], [])
  expect(await counted(db)).toEqual({
    search: { accepted: 2, duplicates: 1, rejected: 0 },
    payment: { accepted: 1, duplicates: 0, rejected: 0 },
  })
  await expectProof(db)
})

test('calls that bring only rejected items count them', async ({ db }) => {
  const nothing = { accepted: 0, duplicates: 0 }
  await record(db, [], [rejection(0), rejection(1)])
  await recordEvents(db, newCall(), [], undefined, 3)
  const call = newCall()
  for (let n = 0; n < 2; n++) await countCall(db, call, 'product', { ...nothing, rejected: 4 })
  await recordPayments(db, newCall(), [], [rejection(0)])
  const webhook = { provider: 'stripe', content_type: 'text/xml', headers: {}, form: 'text', body: '<a/>' } as const
  for (const code of ['refused', 'refused', 'ignored'] as const)
    await keepWebhook(db, { webhook, sha256: '00', code, message: 'no product' })
  expect(await counted(db)).toEqual({
    interaction: { ...nothing, rejected: 2 },
    analytics_event: { ...nothing, rejected: 3 },
    product: { ...nothing, rejected: 4 },
    payment: { ...nothing, rejected: 2 },
  })
  await expectProof(db)
})

test('a replay counts again', async ({ db }) => {
  const rejected = await record(db, [], [rejection(0)])
  const key = { batch_id: rejected.batchId, index: 0, actor: 'ada' }
  await recordBatch(db, newCall(), [interaction()], [], insertReplayOf(key))
  expect(await counted(db)).toEqual({ interaction: { accepted: 1, duplicates: 0, rejected: 1 } })
  await expectProof(db)
})

const view = (offset: bigint, eventId: string) =>
  recordOf(
    {
      event_id: eventId,
      occurred_at: new Date(NOON_MS).toISOString(),
      session_id: 's',
      event_type: 'view',
      ref_type: 'Product',
      ref_id: 'lamp',
    },
    { kind: 'interaction', offset },
  )

test('records of Kafka are counted with their offsets', async ({ db }) => {
  const topics = ['product.updated', 'interactions'] as const
  await readOffsets(
    db,
    topics.map((topic) => ({ topic, partition: 0, next: 0n })),
  )
  const judged = await judgeRecords(
    [
      recordOf(productEvent({ productId: 'k-1' }), { offset: 0n }),
      recordOf(productEvent({ productId: 'k-1' }), { offset: 1n }),
      recordOf('no event', { offset: 2n }),
      view(0n, '00000000-0000-4000-8000-000000000001'),
      view(1n, '00000000-0000-4000-8000-000000000001'),
      recordOf('no interaction', { kind: 'interaction', offset: 2n }),
    ],
    { nowMs: NOON_MS + 60_000, currency: 'EUR', privacy: { ipAddress: 'keep', userAgent: 'keep' } },
  )
  const moves = topics.map((topic) => ({ topic, partition: 0, before: 0n, next: 3n }))
  await storeRecords(db, moves, judged)
  await expect(storeRecords(db, moves, judged)).rejects.toThrow('no longer')
  await expect(storeRecords(db, moves, { ...judged, runs: [], rejected: [] })).rejects.toThrow('no longer')
  expect(await counted(db)).toEqual({
    product: { accepted: 1, duplicates: 1, rejected: 1 },
    interaction: { accepted: 1, duplicates: 1, rejected: 1 },
  })
  await expectProof(db)
})

test('folds that run while others record lose and double nothing', async ({ db }) => {
  const records = Array.from({ length: 40 }, () => record(db, [interaction(), interaction()]))
  const folds = Array.from({ length: 10 }, () => foldIngest(db))
  await Promise.all([...records, ...folds])
  expect(await counted(db)).toEqual({ interaction: { accepted: 80, duplicates: 0, rejected: 0 } })
  expect(await foldIngest(db)).toBe(false)
  expect((await sql`select from ingest_delta`.execute(db)).rows).toEqual([])
  expect(await counted(db)).toEqual({ interaction: { accepted: 80, duplicates: 0, rejected: 0 } })
  await expectProof(db)
})

test('what the release before records is left out, and what follows from the log is proved without it', async ({ db }) => {
  await recordAndCount(db, [interaction()])
  await sql`update interaction_batch set items = null, refused = null`.execute(db)
  await sql`delete from ingest_delta`.execute(db)
  await recordAndCount(db, [interaction(), interaction()])
  expect(await counted(db)).toEqual({ interaction: { accepted: 2, duplicates: 0, rejected: 0 } })
  await expectProof(db)
})

test('calls are forgotten after eight days, and the counts of their hours stay', async ({ db }) => {
  await countCall(db, newCall(), 'product', { accepted: 1, duplicates: 0, rejected: 0 })
  await sql`update ingest_call set counted_at = counted_at - interval '9 days'`.execute(db)
  await sql`update ingest_delta set hour = hour - interval '9 days'`.execute(db)
  await countCall(db, newCall(), 'product', { accepted: 2, duplicates: 0, rejected: 0 })
  expect(await dropCountedCalls(db)).toBe(false)
  expect((await sql`select accepted from ingest_call`.execute(db)).rows).toEqual([{ accepted: 2 }])
  await foldIngest(db)
  expect((await sql`select accepted::int from ingest_hour order by 1`.execute(db)).rows).toEqual([
    { accepted: 1 },
    { accepted: 2 },
  ])
  await expectProof(db)
})

test('GET /api/v1/ingest answers every hour with every kind, the oldest first', async ({ db, database }) => {
  await record(db, [interaction()])
  await sql`update ingest_delta set hour = hour - interval '2 hours'`.execute(db)
  const gateway = await startGateway(database.url, { ingressUrl: 'http://127.0.0.1:1' })
  const ask = async (query: string) => fetch(`${gateway.url}/api/v1/ingest${query}`)
  const { data, meta } = (await (await ask('?hours=3')).json()) as IngestResponse
  expect(data.map(({ hour }) => Date.parse(hour) - Date.parse(meta.from))).toEqual([0, HOUR_MS, 2 * HOUR_MS])
  for (const { kinds } of data) expect(kinds.map(({ kind }) => kind)).toEqual(INGEST_KINDS)
  expect(data[0]!.kinds[0]).toEqual({ kind: 'interaction', accepted: 1, duplicates: 0, rejected: 0 })
  expect(Date.parse(meta.counted_since)).toBeLessThan(Date.parse(meta.to))
  expect(((await (await ask('')).json()) as IngestResponse).data.length).toBe(24)
  expect((await ask('?hours=169')).status).toBe(400)
  await gateway.stop()
})
