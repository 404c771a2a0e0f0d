import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { sql } from 'kysely'
import { expect } from 'vitest'
import type { NewInteraction } from '../../src/admission/interaction.ts'
import { newestEvents, type ShopperEvent } from '../../src/ranking/shopper-event.ts'
import type { Database } from '../../src/store/database/connection.ts'
import { verify } from '../../src/store/proof/verification.ts'
import { recentEventsOf, trimRecent } from '../../src/store/shoppers/shopper-recent.ts'
import { feedBatch } from '../../src/store/shoppers/shopper-profile.ts'
import { pgTest as test } from '../harness/fixtures.ts'
import { interaction, record } from '../harness/items/events.ts'
import { product, upsert } from '../harness/items/products.ts'
import { clear } from '../harness/servers/database.ts'

const NOW_MS = Date.now()

test.beforeEach(({ db }) => clear(db))

async function feed(db: Database, events: readonly NewInteraction[]): Promise<void> {
  await feedBatch(db, await record(db, events))
}

function eventOf({ eventId, occurredAtMs, refId, eventType }: NewInteraction): ShopperEvent {
  return { eventId, occurredAtMs, productId: refId, eventType }
}

/** Interactions of a shopper, each a second older than the one before. */
function visit(count: number, changes: Partial<NewInteraction> = {}): NewInteraction[] {
  return Array.from({ length: count }, (_, index) =>
    interaction({ refId: `p${index}`, occurredAtMs: NOW_MS - index * 1_000, ...changes }),
  )
}

async function rowsOf(db: Database, shopperId: string): Promise<number> {
  const { rows } = await sql<{
    n: number
  }>`select count(*)::int as n from shopper_recent where shopper_id = ${shopperId}`.execute(db)
  return rows[0]!.n
}

test('a fed event is there with what the catalog said when it was recorded, and not before it is fed', async ({ db }) => {
  await upsert(db, [product({ product_id: 'lamp', category: 'lighting', brand: 'Lumen' })])
  const [lamp, rug] = [
    interaction({ refId: 'lamp', occurredAtMs: NOW_MS }),
    interaction({ refId: 'rug', occurredAtMs: NOW_MS - 1 }),
  ]
  const batch = await record(db, [lamp, rug])
  expect(await recentEventsOf(db, ['account:a'])).toEqual([])
  await feedBatch(db, batch)
  await upsert(db, [product({ product_id: 'lamp', category: 'other', updated_at: '2026-03-02T12:00:00Z' })])
  expect(await recentEventsOf(db, ['account:a'])).toEqual([
    { ...eventOf(lamp), category: 'lighting', brand: 'Lumen' },
    eventOf(rug),
  ])
})

test('a batch that is fed twice, and an event that is sent twice, are there once', async ({ db }) => {
  const events = visit(3)
  const batch = await record(db, events)
  await feedBatch(db, batch)
  await feedBatch(db, batch)
  await feed(db, events)
  expect(await recentEventsOf(db, ['account:a'])).toHaveLength(3)
  expect((await verify(db)).drift).toEqual([])
})

test('events of categories are left out, and each event is of its account, or of its session without one', async ({ db }) => {
  await feed(db, [
    interaction({ refType: 'Category', refId: 'lighting' }),
    interaction({ refId: 'signed in', sessionId: 's' }),
    interaction({ refId: 'not signed in', accountId: null, sessionId: 's' }),
  ])
  const productsOf = async (id: string) => (await recentEventsOf(db, [id])).map(({ productId }) => productId)
  expect(await productsOf('account:a')).toEqual(['signed in'])
  expect(await productsOf('session:s')).toEqual(['not signed in'])
})

test('events of the same instant are ordered by their ids, as in the ranking', async ({ db }) => {
  const events = visit(150, { occurredAtMs: NOW_MS })
  await feed(db, events)
  expect(await recentEventsOf(db, ['account:a'])).toEqual(newestEvents(events.map(eventOf)))
})

test('trimming keeps the newest 100, and late events do not come back', async ({ db }) => {
  const events = visit(120)
  await feed(db, events)
  await trimRecent(db, ['account:a', 'account:unknown'])
  expect(await rowsOf(db, 'account:a')).toBe(100)
  await feed(db, visit(30, { occurredAtMs: NOW_MS - 3_600_000 }))
  expect(await recentEventsOf(db, ['account:a'])).toEqual(events.slice(0, 100).map(eventOf))
  expect((await verify(db)).drift).toEqual([])
})

test('trimming leaves an old event that another transaction has locked, and does not wait for it', async ({ db }) => {
  await feed(db, visit(120))
  await db.transaction().execute(async (tx) => {
    const { numAffectedRows } = await sql`
      update shopper_recent set shopper_id = 'account:other' where product_id = 'p119'`.execute(tx)
    await trimRecent(db, ['account:a'])
    expect(await rowsOf(db, 'account:a')).toBe(100 + Number(numAffectedRows))
  })
  await trimRecent(db, ['account:a'])
  expect(await rowsOf(db, 'account:a')).toBe(100)
})

test('feeding trims by itself: a shopper with 3,000 events has a few more rows than 100', async ({ db }) => {
  for (let batch = 0; batch < 60; batch++) await feed(db, visit(50, { occurredAtMs: NOW_MS - batch }))
  // That none of the last 1,000 events had its turn has a chance of 1 in 10^13.
  expect(await rowsOf(db, 'account:a')).toBeLessThan(1_100)
  expect((await verify(db)).drift).toEqual([])
})

test('the recent events of several ids are the newest 100 of their union', async ({ db }) => {
  const [account, session] = [visit(80), visit(80, { accountId: null, sessionId: 's' })]
  await feed(db, [...account, ...session])
  const expected = newestEvents([...account, ...session].map(eventOf))
  expect(await recentEventsOf(db, ['account:a', 'session:s', 'session:unknown'])).toEqual(expected)
  expect(await recentEventsOf(db, [])).toEqual([])
})

test('any events, in any batches, fed in any order and concurrently, leave the newest 100 of each shopper', async ({
  db,
  proofs,
}) => {
  const one = fc.record({
    shopper: fc.integer({ min: 0, max: 2 }),
    secondsAgo: fc.integer({ min: 0, max: 80 }),
    refId: fc.constantFrom('p', 'q'),
  })
  const batches = fc.array(fc.array(one, { minLength: 1, maxLength: 80, size: 'max' }), {
    minLength: 1,
    maxLength: 8,
    size: 'max',
  })
  await fc.assert(
    fc.asyncProperty(
      batches.chain((all) => fc.shuffledSubarray(all, { minLength: all.length })),
      fc.boolean(),
      async (all, atOnce) => {
        await clear(db)
        const sent = all.map((batch) =>
          batch.map(({ shopper, secondsAgo, refId }) =>
            interaction({ accountId: `a${shopper}`, occurredAtMs: NOW_MS - secondsAgo * 1_000, refId, eventId: randomUUID() }),
          ),
        )
        const recorded = await Promise.all(sent.map((batch) => record(db, batch)))
        if (atOnce) await Promise.all(recorded.map((batch) => feedBatch(db, batch)))
        else for (const batch of recorded.toReversed()) await feedBatch(db, batch)
        for (const accountId of ['a0', 'a1', 'a2']) {
          const ofShopper = sent.flat().filter((event) => event.accountId === accountId)
          expect(await recentEventsOf(db, [`account:${accountId}`])).toEqual(newestEvents(ofShopper.map(eventOf)))
        }
        expect((await verify(proofs)).drift).toEqual([])
      },
    ),
    { numRuns: 25 },
  )
})

test('changing a part of the key of a recent event by hand is found', async ({ db }) => {
  await feed(db, visit(3))
  await sql`create table kept as select * from shopper_recent`.execute(db)
  for (const change of [
    sql`occurred_at = occurred_at + interval '1 millisecond'`,
    sql`occurred_at = '1999-12-31T23:59:59Z'`,
    sql`event_id = gen_random_uuid()`,
    sql`shopper_id = 'session:a'`,
  ]) {
    await sql`update shopper_recent set ${change} where product_id = 'p1'`.execute(db)
    const { drift } = await verify(db)
    expect(drift.map(({ aggregate, column }) => `${aggregate} ${column}`)).toContain('shopper_recent *')
    await sql`delete from shopper_recent`.execute(db)
    await sql`insert into shopper_recent select * from kept`.execute(db)
  }
  await sql`drop table kept`.execute(db)
  expect((await verify(db)).drift).toEqual([])
})

test('a row beyond the newest 100 is proved too, and may be missing', async ({ db }) => {
  await feed(db, visit(120))
  await sql`update shopper_recent set brand = 'changed' where product_id = 'p119'`.execute(db)
  const { drift } = await verify(db)
  expect(drift).toMatchObject((await rowsOf(db, 'account:a')) === 100 ? [] : [{ aggregate: 'shopper_recent', column: 'brand' }])
  await sql`delete from shopper_recent where product_id = 'p119'`.execute(db)
  expect((await verify(db)).drift).toEqual([])
  await sql`delete from shopper_recent where product_id = 'p99'`.execute(db)
  expect((await verify(db)).drift).toMatchObject([{ aggregate: 'shopper_recent', column: '*', stored: null }])
})
