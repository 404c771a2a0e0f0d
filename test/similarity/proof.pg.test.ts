import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { sql } from 'kysely'
import { expect } from 'vitest'
import type { NewInteraction } from '../../src/admission/interaction.ts'
import type { Drift } from '../../src/contract/verify.ts'
import { VERSION_DEFAULTS, type VersionSettings } from '../../src/ranking/similarity/version-settings.ts'
import type { Database } from '../../src/store/database/connection.ts'
import { verify } from '../../src/store/proof/verification.ts'
import { makeVersion } from '../../src/store/similarity/make-version.ts'
import { completeSimilarityRun } from '../../src/store/similarity/run-machine.ts'
import { mergeSession } from '../../src/store/shoppers/shopper-merge.ts'
import { startSimilarityJob } from '../../src/workers/similarity-job.ts'
import { interaction, record } from '../harness/items/events.ts'
import { erase } from '../harness/items/erased.ts'
import { product, upsert } from '../harness/items/products.ts'
import { clear } from '../harness/servers/database.ts'
import { pgTest as test } from '../harness/fixtures.ts'
import { beginRunOf, madeVersion } from '../harness/items/similarity.ts'

test.beforeEach(async ({ db }) => {
  await clear(db)
  await sql`delete from catalog.product`.execute(db)
})

const DAY_MS = 86_400_000
const FROM_MS = Math.floor(Date.now() / DAY_MS - 10) * DAY_MS

async function make(db: Database, changes: Partial<VersionSettings> = {}): Promise<number> {
  const runId = await beginRunOf(db)
  const version = (await makeVersion(db, runId, { ...VERSION_DEFAULTS, ...changes }, (settings) =>
    startSimilarityJob(settings, 1),
  ))!
  await completeSimilarityRun(db, runId, version)
  return version
}

/** Shoppers that went through the shelves, with purchases in orders, and a catalog in which some products are alike. */
async function recordShop(db: Database): Promise<void> {
  const events: NewInteraction[] = []
  for (let shopper = 0; shopper < 30; shopper++) {
    for (let step = 0; step < 8; step++) {
      const bought = (shopper + step) % 3 === 0
      events.push(
        interaction({
          ...(shopper % 4 === 0 ? { accountId: null, sessionId: `s${shopper}` } : { accountId: `a${shopper}` }),
          refId: `p${(shopper * 7 + step * step) % 25}`,
          eventType: bought ? 'purchase' : 'view',
          occurredAtMs: FROM_MS + shopper * 1_000_000 + step * 60_000,
          metadata: bought ? { order_id: `o${shopper}` } : undefined,
        }),
      )
    }
  }
  await record(db, events)
  const products = Array.from({ length: 100 }, (_, n) =>
    product({ product_id: `p${n}`, category: `shop/shelf ${n % 40}`, brand: `brand ${n % 33}` }),
  )
  await upsert(db, products)
  await sql`insert into shopper_redirect (session_id, account_id) values ('s0', 'a1')`.execute(db)
}

async function driftOf(db: Database): Promise<Drift[]> {
  return (await verify(db)).drift
}

test('an untouched version has no drift, and verify says how many rows it compared', async ({ db }) => {
  expect(await verify(db)).not.toHaveProperty('similarity')
  await recordShop(db)
  const version = await make(db)
  const { drift, similarity } = await verify(db)
  expect(drift).toEqual([])
  expect(similarity).toEqual({ version, products: 100, rows: expect.any(Number) as number })
  expect(similarity!.rows).toBeGreaterThanOrEqual(25)
  // The sample is the same each time.
  expect((await verify(db)).similarity).toEqual(similarity)
})

test('what is recorded, merged and changed in the catalog later is no drift', async ({ db }) => {
  await recordShop(db)
  await make(db)
  await record(db, [interaction({ refId: 'p3', occurredAtMs: FROM_MS, accountId: 'a1' }), interaction({ refId: 'new' })])
  await mergeSession(db, { session_id: 's4', account_id: 'a5', asked_at_ms: Date.now() })
  await mergeSession(db, { session_id: 'later', account_id: 'a5', asked_at_ms: Date.now() })
  await upsert(db, [product({ product_id: 'p3', category: 'elsewhere', updated_at: '2026-04-01T00:00:00Z' })])
  const { drift, similarity } = await verify(db)
  expect(drift).toEqual([])
  expect(similarity!.rows).toBeGreaterThan(0)
})

test('a batch that was committed after a newer one was read is no drift', async ({ db }) => {
  await recordShop(db)
  const late = Promise.withResolvers<void>()
  const isIn = Promise.withResolvers<void>()
  const recording = db.transaction().execute(async (tx) => {
    await sql`
      with batch as (
        insert into interaction_batch (occurred_from, occurred_to, events, invocation_id, body_sha256, kind, tombstone_no)
        values (now(), now(), 1, ${randomUUID()}, ''::bytea, 'interaction', 0) returning batch_id)
      insert into interaction (occurred_at, batch_id, event_id, is_category, event_type, ref_id, account_id)
      select ${new Date(FROM_MS)}, batch_id, ${randomUUID()}::uuid, false, 'view', 'p1', 'a1' from batch`.execute(tx)
    isIn.resolve()
    await late.promise
  })
  await isIn.promise
  await record(db, [interaction({ refId: 'p2', occurredAtMs: FROM_MS })])
  await make(db)
  late.resolve()
  await recording
  const { drift, similarity } = await verify(db)
  expect(drift).toEqual([])
  expect(similarity!.rows).toBeGreaterThan(0)
})

test('a person who is erased later is no drift, and neither are the orders of others', async ({ db }) => {
  await recordShop(db)
  await make(db)
  const before = (await verify(db)).similarity!
  // With a session that belongs to the account, and as a session alone.
  for (const shopper of ['account:a1', 'session:s8']) await erase(db, shopper)
  const { drift, similarity } = await verify(db)
  expect(drift).toEqual([])
  expect(similarity).toEqual(before)
  // The next version has the pseudonyms.
  await make(db)
  expect(await driftOf(db)).toEqual([])
  await sql`update erasure_run set requested_at = requested_at - interval '1 hour', finished_at = now() + interval '1 hour'`.execute(
    db,
  )
  expect((await verify(db)).similarity).toMatchObject({ rows: 0, skipped: 'a person was being erased while it was made' })
})

/** Changes of a list: of its first value, of its length, and of the order. */
const CHANGES: Record<string, (column: ReturnType<typeof sql.ref>) => ReturnType<typeof sql>> = {
  'another first value': (column) => sql`(${column}[1] + 1) || ${column}[2:]`,
  'a value more': (column) => sql`${column} || ${column}[1] + 40`,
  'a value less': (column) => sql`${column}[2:]`,
}

test.for(
  ['neighbour', 'score', 'count', 'back_score', 'back_count', 'content', 'cosine', 'bought', 'bought_count'].flatMap((column) =>
    Object.keys(CHANGES).map((change) => [column, change] as const),
  ),
)('verify finds %s with %s', async ([column, change], { db }) => {
  await recordShop(db)
  await make(db)
  const cell = sql.ref(column)
  const { rows } = await sql<{ productNo: string }>`
    update similarity_row set ${cell} = ${CHANGES[change]!(cell)} where product_no in (
      select product_no from similarity_row join similarity_product using (version, product_no)
      where events > 0 and cardinality(${cell}) > 1)
    returning product_no::text as "productNo"`.execute(db)
  expect(rows.length).toBeGreaterThan(0)
  const drift = await driftOf(db)
  expect(drift.length).toBeGreaterThan(0)
  expect(drift.map((found) => found.column)).toContain(column)
})

test.for(['events', 'baskets'])('verify names a changed number of %s of a product', async (column, { db }) => {
  await recordShop(db)
  const version = await make(db)
  const cell = sql.ref(column)
  await sql`update similarity_product set ${cell} = ${cell} + 1 where product_id = 'p1'`.execute(db)
  const { rows } = await sql<{ no: number }>`select product_no as no from similarity_product where product_id = 'p1'`.execute(db)
  expect(await driftOf(db)).toMatchObject([
    { aggregate: 'similarity_product', key: { version: String(version), product_no: String(rows[0]!.no) }, column },
  ])
})

test.for(['product_id', 'category', 'brand'])('verify finds a changed %s of any product', async (column, { db }) => {
  await recordShop(db)
  await make(db)
  const cell = sql.ref(column)
  const { rows } = await sql<{ no: number }>`select product_no as no from similarity_product order by md5(product_id)`.execute(db)
  for (const { no } of rows.slice(0, 5)) {
    const before = await sql<{ value: string }>`select ${cell} as value from similarity_product where product_no = ${no}`.execute(
      db,
    )
    await sql`update similarity_product set ${cell} = ${cell} || ' changed' where product_no = ${no}`.execute(db)
    expect(await driftOf(db)).toContainEqual(
      expect.objectContaining({ aggregate: 'similarity_version', column: 'catalog_sha256' }),
    )
    await sql`update similarity_product set ${cell} = ${before.rows[0]!.value} where product_no = ${no}`.execute(db)
  }
  expect(await driftOf(db)).toEqual([])
})

test.for([
  ['content_weight', sql`update similarity_version set content_weight = content_weight * 1.000001`],
  ['content_weight', sql`update similarity_row set score[1] = score[1] * 2 where cardinality(score) > 0`],
] as const)('verify finds a changed %s', async ([column, change], { db }) => {
  await recordShop(db)
  const version = await make(db)
  await change.execute(db)
  expect(await driftOf(db)).toContainEqual({
    ...{ aggregate: 'similarity_version', key: { version: String(version) }, column },
    ...{ stored: expect.any(String) as string, expected: expect.any(String) as string },
  })
})

test('verify finds a missing row', async ({ db }) => {
  await recordShop(db)
  await make(db)
  await sql`delete from similarity_row`.execute(db)
  expect((await driftOf(db))[0]).toMatchObject({ aggregate: 'similarity_row', column: '*', stored: null, expected: 'a row' })
})

test('when a part of its log is gone, a version is not compared, and verify says why', async ({ db }) => {
  await madeVersion(db, 2)
  // Its horizon is long before that of the log.
  const { drift, similarity } = await verify(db)
  expect(similarity).toMatchObject({ rows: 0, skipped: 'a part of the log that it was made from was dropped' })
  expect(drift).toEqual([])
})

const event = fc.record({ shopper: fc.nat(5), product: fc.nat(5), day: fc.nat(2), isBought: fc.boolean(), order: fc.nat(3) })
const bounds = fc.record({
  window: fc.integer({ min: 1, max: 5 }),
  neighboursMax: fc.integer({ min: 1, max: 5 }),
  shopperEventsMax: fc.integer({ min: 2, max: 15 }),
  productEventsMax: fc.integer({ min: 1, max: 10 }),
  botEventsPerDay: fc.integer({ min: 3, max: 20 }),
  eventsMax: fc.integer({ min: 5, max: 60 }),
  productsMax: fc.integer({ min: 2, max: 20 }),
  basketProductsMax: fc.integer({ min: 2, max: 5 }),
  boughtMax: fc.integer({ min: 1, max: 5 }),
})

test('no version has drift, with any log and any bounds', { timeout: 120_000 }, async ({ db }) => {
  await fc.assert(
    fc.asyncProperty(fc.array(event, { minLength: 1, maxLength: 60 }), bounds, async (events, changes) => {
      await clear(db)
      await record(
        db,
        events.map(({ shopper, product: number, day, isBought, order }, index) =>
          interaction({
            ...(shopper > 2
              ? { accountId: null, sessionId: `s${shopper}` }
              : { accountId: `a${shopper}`, sessionId: index % 2 ? `t${shopper}` : null }),
            refId: `p${number}`,
            eventType: isBought ? 'purchase' : 'view',
            occurredAtMs: FROM_MS + day * DAY_MS + (index % 7) * 60_000,
            metadata: order > 1 ? { order_id: `o${order}` } : undefined,
          }),
        ),
      )
      await sql`insert into shopper_redirect (session_id, account_id) values ('s3', 'a1')`.execute(db)
      await make(db, changes)
      const { drift, similarity } = await verify(db)
      expect(drift).toEqual([])
      expect(similarity!.rows).toBe(similarity!.products)
    }),
    { numRuns: 25 },
  )
})
