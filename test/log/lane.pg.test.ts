import { sql } from 'kysely'
import { expect } from 'vitest'
import type { Queryable } from '../../src/store/database/connection.ts'
import { tryNamedLocks } from '../../src/store/database/locks.ts'
import { backlog } from '../../src/store/log/backlog.ts'
import type { BatchRef } from '../../src/store/log/batch.ts'
import { countBatch } from '../../src/store/popularity/counting.ts'
import { changeLanes } from '../../src/store/popularity/lanes.ts'
import { verify } from '../../src/store/proof/verification.ts'
import { feedBatch } from '../../src/store/shoppers/shopper-profile.ts'
import { pgTest as test } from '../harness/fixtures.ts'
import { held, someoneWaits } from '../harness/held.ts'
import { interaction, record } from '../harness/items/events.ts'
import { lockProduct, WAYS } from '../harness/items/lanes.ts'
import { clear } from '../harness/servers/database.ts'

test.beforeEach(async ({ db }) => {
  await changeLanes(db, 1)
  await clear(db)
})

test.for(WAYS)(
  '$name: a message that finds the lane held ends at once, and the next one takes its batch',
  async ({ name, take }, { db }) => {
    const [first, second] = [await record(db, [interaction()]), await record(db, [interaction()])]
    const release = await held(db, (tx) => tryNamedLocks(tx, [[name, '0 of 1']], 1))
    expect(await take(db, first)).toEqual({ batches: 0, events: 0 })
    await release()
    expect(await take(db, second)).toEqual({ batches: 2, events: 2 })
  },
)

test.for(WAYS)(
  '$name: what comes while the holder works is taken by the holder, whose own group has been claimed already',
  async ({ take }, { db }) => {
    await take(db, await record(db, [interaction({ refId: 'hot' })]))
    const release = await held(db, lockProduct('hot'))
    const holder = take(db, await record(db, [interaction({ refId: 'hot' })]))
    await someoneWaits(db)
    const late: BatchRef[] = []
    for (let index = 0; index < 3; index++) late.push(await record(db, [interaction({ refId: `late ${index}` })]))
    for (const batch of late) expect(await take(db, batch)).toEqual({ batches: 0, events: 0 })
    await release()
    expect(await holder).toEqual({ batches: 4, events: 4 })
  },
)

test.for(WAYS)(
  '$name: a message whose batch is done takes what its first attempt left when it died',
  async ({ take }, { db }) => {
    const [first, second] = [await record(db, [interaction()]), await record(db, [interaction()])]
    const groups: number[] = []
    await take(db, first, { onGroup: ({ batches }) => groups.push(batches) })
    expect(groups).toEqual([2])
    const waiting = await record(db, [interaction()])
    expect(await take(db, second)).toEqual({ batches: 1, events: 1 })
    expect(await take(db, waiting)).toEqual({ batches: 0, events: 0 })
  },
)

test.for(WAYS)(
  '$name: a batch that another transaction has locked is left to a message of its own, which waits without the lane',
  async ({ take }, { db }) => {
    const [locked, other] = [await record(db, [interaction()]), await record(db, [interaction()])]
    const release = await held(db, (tx) =>
      sql`select from interaction_batch where batch_id = ${locked.batchId} for update`.execute(tx),
    )
    const left = [{ batchId: locked.batchId, call: locked.call }]
    expect(await take(db, other)).toMatchObject({ batches: 1, left, locked: left })
    const itsOwn = take(db, locked)
    await someoneWaits(db)
    expect(await take(db, await record(db, [interaction()]))).toMatchObject({ batches: 1 })
    await release()
    expect(await itsOwn).toEqual({ batches: 1, events: 1 })
  },
)

test.for(WAYS)(
  '$name: a message that waited for its batch and then finds the lane held comes again, because the holder may have left the batch',
  async ({ name, take }, { db }) => {
    const batch = await record(db, [interaction()])
    const unlock = await held(db, (tx) =>
      sql`select from interaction_batch where batch_id = ${batch.batchId} for update`.execute(tx),
    )
    const taken = take(db, batch)
    await someoneWaits(db)
    const release = await held(db, (tx) => tryNamedLocks(tx, [[name, '0 of 1']], 1))
    await unlock()
    expect(await taken).toEqual({ batches: 0, events: 0, again: true })
    await release()
    expect(await take(db, batch)).toEqual({ batches: 1, events: 1 })
  },
)

/** Adds nothing to the sums of a product, as another transaction that counts or feeds it would. */
const addNothing = (productIds: readonly string[], occurredAt: Date) => async (tx: Queryable) => {
  await sql`insert into product_hour (product_id, hour, event_type, events, decayed)
    select id, date_bin('1 hour', ${occurredAt}::timestamptz, '2000-01-01 00:00:00+00'), 'view', 0, 0 from unnest(${productIds}::text[]) id
    on conflict (product_id, hour, event_type) do update set events = product_hour.events`.execute(tx)
  await sql`insert into product_popularity (product_id, score_micros, trending, view_count, purchase_count, favorite_count, cart_count,
      review_count, search_click_count, last_interaction, date_updated)
    select id, 0, 0, 0, 0, 0, 0, 0, 0, '2000-01-01', '2000-01-01' from unnest(${productIds}::text[]) id
    on conflict (product_id) do update set score_micros = product_popularity.score_micros`.execute(tx)
  await sql`insert into shopper_product (shopper_id, product_id, event_type, events, last_at)
    select 'account:a', id, 'view', 0, '2000-01-01' from unnest(${productIds}::text[]) id
    on conflict (shopper_id, product_id, event_type) do update set events = shopper_product.events`.execute(tx)
}

test.for([
  { lanes: 1, name: 'in one lane, whose group expects no others and is taken again' },
  { lanes: 8, name: 'in eight lanes' },
] as const)(
  'rows that another transaction adds or changes at the same time keep what both add, $name',
  async ({ lanes }, { db }) => {
    const occurredAt = new Date()
    const event = (refId: string) => interaction({ refId, occurredAtMs: occurredAt.getTime() })
    const known = await record(db, [event('known'), event('other')])
    for (const { take } of WAYS) await take(db, known)
    await changeLanes(db, lanes)
    const batch = await record(db, ['known', 'new counting', 'new feeding', 'new feeding', 'further'].map(event))
    await record(db, ['known', 'new counting'].map(event))
    for (const { name, take } of WAYS) {
      const release = await held(db, addNothing(['known', `new ${name}`], occurredAt))
      const groups: number[] = []
      const taken = take(db, batch, { lightEvents: 10, onGroup: ({ batches }) => groups.push(batches) })
      await someoneWaits(db)
      await release()
      expect(await taken).toEqual({ batches: 2, events: 7 })
      expect(groups).toEqual([2])
    }
    expect((await verify(db)).drift).toEqual([])
  },
)

test('a batch that PostgreSQL refuses is left to a message of its own, and all others are counted', async ({
  db,
  onTestFinished,
}) => {
  await sql`alter table product_hour add constraint no_poison check (product_id <> 'poison')`.execute(db)
  onTestFinished(async () => void (await sql`alter table product_hour drop constraint no_poison`.execute(db)))
  const [good, bad] = [await record(db, [interaction()]), await record(db, [interaction({ refId: 'poison' })])]
  for (let index = 0; index < 4; index++) await record(db, [interaction({ refId: `p${index}` })])
  expect(await countBatch(db, good)).toMatchObject({ batches: 5, left: [{ batchId: bad.batchId }] })
  await record(db, [interaction()])
  await expect(countBatch(db, bad)).rejects.toThrow('no_poison')
  expect(await backlog(db)).toMatchObject({ uncountedBatches: 1 })
})

test('a holder passes the lane on after 16 groups', async ({ db }) => {
  // More than a year apart, so that none goes with another.
  const years = Array.from({ length: 18 }, (_, index) => Date.UTC(2002 + index, 0, 1 + 3 * index))
  const batches = []
  for (const occurredAtMs of years) batches.push(await record(db, [interaction({ occurredAtMs })]))
  expect(await countBatch(db, batches[0]!)).toMatchObject({ batches: 16, next: { batchId: batches[16]!.batchId } })
  expect(await countBatch(db, batches[16]!)).toEqual({ batches: 2, events: 2 })
  await feedBatch(db, batches[0]!)
  await feedBatch(db, batches[16]!)
  expect((await verify(db)).drift).toEqual([])
})

test.for(WAYS)(
  '$name: a message comes again when the holder of the lane may not look for its old batch',
  async ({ name, take }, { db }) => {
    const old = await record(db, [interaction()])
    await sql`
    insert into interaction_batch (occurred_from, occurred_to, events, invocation_id, body_sha256, kind, scored_at, fed_at)
    select now(), now(), 0, 'done ' || gen_random_uuid(), '', 'interaction', now(), now() from generate_series(1, 1000)`.execute(
      db,
    )
    const release = await held(db, (tx) => tryNamedLocks(tx, [[name, '0 of 1']], 1))
    expect(await take(db, old)).toEqual({ batches: 0, events: 0 })
    const newest = await record(db, [interaction()])
    expect(await take(db, old)).toEqual({ batches: 0, events: 0, again: true })
    expect(await take(db, newest)).toEqual({ batches: 0, events: 0 })
    await release()
    expect(await take(db, newest)).toEqual({ batches: 1, events: 1 })
    expect(await take(db, old)).toEqual({ batches: 1, events: 1 })
  },
)
