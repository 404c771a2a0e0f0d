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
import { clear } from '../harness/servers/database.ts'

test.beforeEach(async ({ db }) => {
  await changeLanes(db, 1)
  await clear(db)
})

const WAYS = [
  { name: 'counting', take: countBatch },
  { name: 'feeding', take: feedBatch },
] as const

/** Locks the rows of a product, so that a group that has the product begins and does not end. */
const lockProduct = (productId: string) => async (tx: Queryable) => {
  await sql`select from product_popularity where product_id = ${productId} for update`.execute(tx)
  await sql`select from shopper_product where product_id = ${productId} for update`.execute(tx)
}

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
    expect(await take(db, other)).toMatchObject({ batches: 1, left: [{ batchId: locked.batchId, call: locked.call }] })
    const itsOwn = take(db, locked)
    await someoneWaits(db)
    expect(await take(db, await record(db, [interaction()]))).toMatchObject({ batches: 1 })
    await release()
    expect(await itsOwn).toEqual({ batches: 1, events: 1 })
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
