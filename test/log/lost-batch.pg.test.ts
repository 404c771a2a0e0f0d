import { sql } from 'kysely'
import { expect } from 'vitest'
import { HOUR_MS, instantOf } from '../../src/contract/fields/time.ts'
import type { Database } from '../../src/store/database/connection.ts'
import { backlog } from '../../src/store/log/backlog.ts'
import { LOST } from '../../src/store/log/waiting.ts'
import { verify } from '../../src/store/proof/verification.ts'
import { countBatch } from '../../src/store/popularity/counting.ts'
import { feedBatch } from '../../src/store/shoppers/shopper-profile.ts'
import { pgTest as test } from '../harness/fixtures.ts'
import { interaction, record } from '../harness/items/events.ts'
import { clear } from '../harness/servers/database.ts'

test.beforeEach(({ db }) => clear(db))

/** A batch of `size` events that occurred `hoursAgo`. */
function recordBatch(db: Database, name: string, { size = 5, hoursAgo = 0 } = {}) {
  const occurredAtMs = Date.now() - hoursAgo * HOUR_MS
  return record(
    db,
    Array.from({ length: size }, (_, index) =>
      interaction({ refId: `${name} ${index % 3}`, accountId: `a${index}`, occurredAtMs: occurredAtMs - index }),
    ),
  )
}

/** The batches' rows and events are gone, and their ids are given again: a standby took over that had not received them. */
async function lose(db: Database, batchIds: readonly string[]): Promise<void> {
  await sql`
    insert into ingest_delta (hour, kind, accepted, duplicates, rejected)
    select date_trunc('hour', received_at, 'UTC'), 'interaction', -items, 0, 0
    from interaction_batch where batch_id = any(${batchIds}::bigint[])`.execute(db)
  await sql`delete from interaction where batch_id = any(${batchIds}::bigint[])`.execute(db)
  await sql`delete from interaction_batch where batch_id = any(${batchIds}::bigint[])`.execute(db)
  const first = Math.min(...batchIds.map(Number))
  await sql`select setval(pg_get_serial_sequence('interaction_batch', 'batch_id'), ${first}, false)`.execute(db)
}

test('a batch is counted and fed whole, whatever bounds the message gives it', async ({ db }) => {
  const { batchId, call } = await recordBatch(db, 'lamp')
  const hourAgo = instantOf(Date.now() - HOUR_MS)
  const message = { batchId, call, from: hourAgo, to: hourAgo }
  expect(await countBatch(db, message)).toMatchObject({ batches: 1, events: 5 })
  expect(await feedBatch(db, message)).toMatchObject({ batches: 1, events: 5 })
  expect((await verify(db)).drift).toEqual([])
})

test('the message of a lost batch leaves the batch alone that got its id', async ({ db }) => {
  const lost = await recordBatch(db, 'lost', { hoursAgo: 1 })
  await lose(db, [lost.batchId])
  expect([await countBatch(db, lost), await feedBatch(db, lost)]).toEqual([LOST, LOST])
  const next = await recordBatch(db, 'next')
  expect(next.batchId).toBe(lost.batchId)
  expect([await countBatch(db, lost), await feedBatch(db, lost)]).toEqual([LOST, LOST])
  expect([await countBatch(db, next), await feedBatch(db, next)]).toMatchObject([{ events: 5 }, { events: 5 }])
  expect([await countBatch(db, lost), await feedBatch(db, lost)]).toEqual([LOST, LOST])
  expect((await verify(db)).drift).toEqual([])
})

test('a message without a call, as the release before sends it, counts and feeds the batch that has the id', async ({ db }) => {
  const { batchId, from, to } = await recordBatch(db, 'lost', { hoursAgo: 1 })
  await lose(db, [batchId])
  expect(await countBatch(db, { batchId })).toBe(LOST)
  const next = await recordBatch(db, 'next')
  const message = { batchId, from, to }
  expect([await countBatch(db, message), await feedBatch(db, message)]).toMatchObject([{ events: 5 }, { events: 5 }])
  expect([await countBatch(db, next), await feedBatch(db, next)]).toMatchObject([{ batches: 0 }, { batches: 0 }])
  expect((await verify(db)).drift).toEqual([])
})

test.for([
  { messages: 'with the call', keepsCall: true },
  { messages: 'of the release before', keepsCall: false },
])(
  'a failover that loses 40 uncounted batches leaves every number right, by messages $messages',
  async ({ keepsCall }, { db }) => {
    const messageOf = ({ call, ...batch }: Awaited<ReturnType<typeof recordBatch>>) => (keepsCall ? { ...batch, call } : batch)
    const before = []
    for (let index = 0; index < 60; index++) {
      before.push(await recordBatch(db, `before ${index % 7}`, { size: 1 + (index % 5), hoursAgo: 1 + (index % 3) }))
    }
    const lost = before.splice(20)
    await lose(
      db,
      lost.map(({ batchId }) => batchId),
    )
    const outcomes: unknown[] = []
    const take = async (message: Parameters<typeof countBatch>[1]) =>
      outcomes.push(...(await Promise.all([countBatch(db, message), feedBatch(db, message)])))
    for (const batch of before) await take(messageOf(batch))
    for (const [index, old] of lost.entries()) {
      const batch = await recordBatch(db, `after ${index % 5}`, { size: 1 + (index % 4) })
      expect(batch.batchId).toBe(old.batchId)
      // Restate delivers the waiting message of the old batch before that of the new one, or at the same time.
      if (index % 2 === 0) await take(messageOf(old))
      await Promise.all([take(messageOf(old)), take(messageOf(batch))])
    }
    expect((await verify(db)).drift).toEqual([])
    expect(await backlog(db)).toMatchObject({ uncountedBatches: 0, unfedBatches: 0 })
    expect(outcomes.filter((one) => one === LOST).length).toBe(keepsCall ? 2 * 1.5 * lost.length : 0)
  },
)
