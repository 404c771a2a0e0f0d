import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { sql } from 'kysely'
import { expect } from 'vitest'
import { DAY_MS } from '../../src/contract/fields/time.ts'
import { verify } from '../../src/store/proof/verification.ts'
import { mergeSession } from '../../src/store/shoppers/shopper-merge.ts'
import { interaction, record } from '../harness/items/events.ts'
import { erase } from '../harness/items/erased.ts'
import { product, upsert } from '../harness/items/products.ts'
import { FROM_MS, makeInForce, recordShop } from '../harness/items/similar-shop.ts'
import { madeVersion } from '../harness/items/similarity.ts'
import { clear } from '../harness/servers/database.ts'
import { pgTest as test } from '../harness/fixtures.ts'

test.beforeEach(async ({ db }) => {
  await clear(db)
  await sql`delete from catalog.product`.execute(db)
})

test('an untouched version has no drift, and verify says how many rows it compared', async ({ db }) => {
  expect(await verify(db)).not.toHaveProperty('similarity')
  await recordShop(db)
  const version = await makeInForce(db)
  const { drift, similarity } = await verify(db)
  expect(drift).toEqual([])
  expect(similarity).toEqual({ version, products: 100, rows: expect.any(Number) as number })
  expect(similarity!.rows).toBeGreaterThanOrEqual(25)
  // The sample is the same each time.
  expect((await verify(db)).similarity).toEqual(similarity)
})

test('what is recorded, merged and changed in the catalog later is no drift', async ({ db }) => {
  await recordShop(db)
  await makeInForce(db)
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
  await makeInForce(db)
  late.resolve()
  await recording
  const { drift, similarity } = await verify(db)
  expect(drift).toEqual([])
  expect(similarity!.rows).toBeGreaterThan(0)
})

test('a person who is erased later is no drift, and neither are the orders of others', async ({ db }) => {
  await recordShop(db)
  await makeInForce(db)
  const before = (await verify(db)).similarity!
  // With a session that belongs to the account, and as a session alone.
  for (const shopper of ['account:a1', 'session:s8']) await erase(db, shopper)
  const { drift, similarity } = await verify(db)
  expect(drift).toEqual([])
  expect(similarity).toEqual(before)
  // The next version has the pseudonyms.
  await makeInForce(db)
  expect((await verify(db)).drift).toEqual([])
  await sql`update erasure_run set requested_at = requested_at - interval '1 hour', finished_at = now() + interval '1 hour'`.execute(
    db,
  )
  expect((await verify(db)).similarity).toMatchObject({ rows: 0, skipped: 'a person was being erased while it was made' })
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

test('no version has drift, with any log and any bounds', { timeout: 120_000 }, async ({ db, proofs }) => {
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
      await makeInForce(db, changes)
      const { drift, similarity } = await verify(proofs)
      expect(drift).toEqual([])
      expect(similarity!.rows).toBe(similarity!.products)
    }),
    { numRuns: 25 },
  )
})
