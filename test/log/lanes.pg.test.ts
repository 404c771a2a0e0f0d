import { sql } from 'kysely'
import { expect } from 'vitest'
import { lanesCommand } from '../../src/cli/commands/lanes.ts'
import type { Database } from '../../src/store/database/connection.ts'
import { tryNamedLocks } from '../../src/store/database/locks.ts'
import { backlog } from '../../src/store/log/backlog.ts'
import type { BatchRef } from '../../src/store/log/batch.ts'
import { countBatch } from '../../src/store/popularity/counting.ts'
import { changeLanes } from '../../src/store/popularity/lanes.ts'
import { rescore } from '../../src/store/popularity/popularity-rules.ts'
import { rollUpSome } from '../../src/store/popularity/roll-up.ts'
import { verify } from '../../src/store/proof/verification.ts'
import { feedBatch } from '../../src/store/shoppers/shopper-profile.ts'
import { pgTest as test } from '../harness/fixtures.ts'
import { held, someoneWaits } from '../harness/held.ts'
import { interaction, record, recordNewSearches, search } from '../harness/items/events.ts'
import { runCommand } from '../harness/programs/command.ts'
import { BALANCED, clear } from '../harness/servers/database.ts'

const HOUR_MS = 3_600_000

test.beforeEach(async ({ db }) => {
  await changeLanes(db, 1)
  await clear(db)
})

/** Products of many slots. */
const products = Array.from({ length: 40 }, (_, index) => `p${index}`)

const recordProducts = (db: Database, ids: readonly string[] = products) =>
  record(
    db,
    ids.map((refId, index) => interaction({ refId, accountId: `a${index % 7}` })),
  )

const lockPopularity = (productId: string) => sql`select from product_popularity where product_id = ${productId} for update`

test('an id is in the same slot in every version of PostgreSQL', async ({ db }) => {
  const { rows } = await sql<{ slot: number }>`
    select (hashtextextended(id collate "C", 0) & 63)::int as slot from unnest(array['lamp', 'p0', '', 'Ünïcode 🛒']) as id`.execute(
    db,
  )
  expect(rows.map(({ slot }) => slot)).toEqual([57, 24, 45, 37])
})

test('a lane counts its slots of a batch beside another lane that is held, and verify knows which events are counted', async ({
  db,
}) => {
  await countBatch(db, await recordProducts(db))
  await changeLanes(db, 8)
  const release = await held(db, (tx) => lockPopularity('p0').execute(tx))
  const batch = await recordProducts(db)
  const oneLane = { lightEvents: 0 }
  // It waits for the product in one lane.
  const holder = countBatch(db, await recordProducts(db, ['p0']), oneLane)
  await someoneWaits(db)
  // The lane is held, so the message ends when the others are counted.
  expect(await countBatch(db, batch, oneLane)).toEqual({ batches: 0, events: 0 })
  const { rows } = await sql<{ slots: number; isDone: boolean }>`
    select bit_count(counted_slots::bit(64))::int as slots, scored_at is not null as "isDone" from interaction_batch where batch_id = ${batch.batchId}`.execute(
    db,
  )
  expect(rows).toEqual([{ slots: 56, isDone: false }])
  expect((await verify(db)).drift).toEqual([])
  expect(await backlog(db)).toMatchObject({ uncountedBatches: 2 })
  await release()
  expect(await holder).toEqual({ batches: 2, events: 41 })
  expect(await backlog(db)).toMatchObject({ uncountedBatches: 0 })
  expect((await verify(db)).drift).toEqual([])
})

test('a batch that is counted in part is counted to its end with another number of lanes', async ({ db }) => {
  for (const [before, after] of [
    [8, 1],
    [2, 64],
    [64, 4],
  ] as const) {
    await countPartly(db, before)
    await changeLanes(db, after)
    const waiting = await recordProducts(db)
    expect(await countBatch(db, waiting)).toMatchObject({ batches: 2 })
    expect((await verify(db)).drift).toEqual([])
  }
})

/** Leaves a batch of which the slots of one lane are not counted. */
async function countPartly(db: Database, lanes: number): Promise<BatchRef> {
  await changeLanes(db, lanes)
  await countBatch(db, await recordProducts(db))
  const { rows } = await sql<{ slot: number }>`select (hashtextextended('p0' collate "C", 0) & 63)::int as slot`.execute(db)
  const lane = rows[0]!.slot % lanes
  const release = await held(db, (tx) => tryNamedLocks(tx, [['counting', `${lane} of ${lanes}`]], 1))
  const batch = await recordProducts(db)
  expect(await countBatch(db, batch)).toEqual({ batches: 0, events: 0 })
  await release()
  return batch
}

test('the release before counts no batch whole of which a part is counted, and counts all others', async ({ db }) => {
  const part = await countPartly(db, 8)
  const whole = await recordProducts(db)
  const countAsBefore = (batch: BatchRef) =>
    db.transaction().execute(async (tx) => {
      await sql`select from interaction_batch where batch_id = ${batch.batchId} for update`.execute(tx)
      await sql`update interaction_batch set scored_at = now() where batch_id = ${batch.batchId}`.execute(tx)
    })
  await expect(countAsBefore(part)).rejects.toThrow('interaction_batch_slots')
  await expect(countAsBefore(whole)).resolves.toBeUndefined()
})

test('a rescore, a roll-up and changes of the number of lanes under load leave every number right', async ({ db }) => {
  let isStopped = false
  const send = async (sender: number) => {
    for (let n = 0; n < 12; n++) {
      const ids = products.filter((_, index) => (index * 7 + n + sender) % 3 === 0)
      const old = { occurredAtMs: Date.now() - (n % 3) * 24 * HOUR_MS * 20 }
      const batch =
        n % 4 === 3
          ? await recordNewSearches(db, [search({ productIds: ids })])
          : await record(
              db,
              ids.map((refId) => interaction({ refId, accountId: `a${sender}`, ...old })),
            )
      await Promise.all(
        [countBatch, countBatch, feedBatch].map((take) => take(db, batch, { lightEvents: n % 2 === 0 ? 0 : 2_000 })),
      )
    }
  }
  const change = async () => {
    for (let n = 0; !isStopped; n++) {
      await changeLanes(db, [8, 1, 2, 64][n % 4]!)
      await rescore(db, { ...BALANCED, weights: { ...BALANCED.weights, view: 1 + n } })
      await rollUpSome(db, 10)
      expect((await verify(db)).drift).toEqual([])
    }
  }
  const changing = change()
  await Promise.all([0, 1, 2, 3].map(send))
  isStopped = true
  await changing
  expect(await backlog(db)).toMatchObject({ uncountedBatches: 0, unfedBatches: 0 })
  expect((await verify(db)).drift).toEqual([])
})

test('the command shows the number of lanes and changes it, with an audit entry', async ({ db, database: { url } }) => {
  const run = (...args: string[]) => runCommand(lanesCommand(), args, { DATABASE_URL: url })
  expect(await run()).toMatchObject({ code: 0, text: 'Lanes: 1\n' })
  expect(await run('8')).toMatchObject({ code: 0, text: 'Lanes: 8 (before: 1)\n' })
  expect(await run('8')).toMatchObject({ code: 0, text: 'Lanes: 8\n' })
  expect(await run('3')).toMatchObject({ code: 2, text: expect.stringContaining('It is one of 1, 2, 4, 8, 16, 32, 64.') })
  const { rows } = await sql`
    select resource_id, metadata from audit_entry where action = 'lanes.change' order by audit_id desc limit 1`.execute(db)
  expect(rows).toEqual([{ resource_id: '8', metadata: { before: 1 } }])
})
