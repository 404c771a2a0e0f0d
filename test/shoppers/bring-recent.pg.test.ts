import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { sql } from 'kysely'
import { expect } from 'vitest'
import type { NewInteraction } from '../../src/admission/interaction.ts'
import { DAY_MS } from '../../src/contract/fields/time.ts'
import { newestEvents } from '../../src/ranking/shopper-event.ts'
import type { Database } from '../../src/store/database/connection.ts'
import type { BatchRef } from '../../src/store/log/batch.ts'
import { verify } from '../../src/store/proof/verification.ts'
import { countBatch } from '../../src/store/popularity/counting.ts'
import { bringRecent, bringRecentFor } from '../../src/store/shoppers/bring-recent.ts'
import { feedBatch } from '../../src/store/shoppers/shopper-profile.ts'
import { recentEventsOf } from '../../src/store/shoppers/shopper-recent.ts'
import { pgTest as test } from '../harness/fixtures.ts'
import { interaction, record, recordNewSearches, search } from '../harness/items/events.ts'
import { feedWithoutRecent } from '../harness/items/feed-without-recent.ts'
import { clear } from '../harness/servers/database.ts'

const NOW_MS = Date.now()

test.beforeEach(({ db }) => clear(db))

const driftOf = async (db: Database) => (await verify(db)).drift

async function idsOf(db: Database): Promise<string[]> {
  return (await recentEventsOf(db, ['account:a'])).map(({ eventId }) => eventId)
}

/** Makes the batches of the log those of a database that was made before the recent events. */
async function forgetBatches(db: Database): Promise<void> {
  await sql`delete from recent_waiting`.execute(db)
  await sql`update recent_progress set next_batch_id = (select coalesce(max(batch_id), 0) + 1 from interaction_batch)`.execute(db)
}

async function waitingOf(db: Database): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`select batch_id as id from recent_waiting order by batch_id`.execute(db)
  return rows.map(({ id }) => id)
}

test('a new database has nothing to bring', async ({ db }) => {
  expect(await bringRecentFor(db, 0)).toBe(true)
})

test('what a process of the release before feeds is noted, brought once, and right for verify before and after', async ({
  db,
}) => {
  const [before, after] = [interaction({ occurredAtMs: NOW_MS - 1 }), interaction({ occurredAtMs: NOW_MS })]
  const old = await record(db, [before])
  await feedWithoutRecent(db, old)
  await feedBatch(db, await record(db, [after]))
  expect(await waitingOf(db)).toEqual([old.batchId])
  expect(await idsOf(db)).toEqual([after.eventId])
  expect(await driftOf(db)).toEqual([])
  expect(await bringRecent(db)).toBe(1)
  expect(await bringRecent(db)).toBe(0)
  expect(await waitingOf(db)).toEqual([])
  expect(await idsOf(db)).toEqual([after.eventId, before.eventId])
  expect(await driftOf(db)).toEqual([])
})

test('batches from before the table are brought from the newest to the oldest, and a killed run goes on', async ({ db }) => {
  const events = Array.from({ length: 150 }, (_, index) => interaction({ occurredAtMs: NOW_MS - index * 1_000 }))
  for (const event of events.toReversed()) await feedWithoutRecent(db, await record(db, [event]), 0)
  await forgetBatches(db)
  expect(await driftOf(db)).toEqual([])
  expect(await bringRecent(db)).toBe(64)
  expect(await idsOf(db)).toEqual(events.slice(0, 64).map(({ eventId }) => eventId))
  expect(await driftOf(db)).toEqual([])
  // A step whose transaction is lost changes nothing.
  await sql`alter table shopper_recent rename to hidden`.execute(db)
  await expect(bringRecent(db)).rejects.toThrow('shopper_recent')
  await sql`alter table hidden rename to shopper_recent`.execute(db)
  expect(await bringRecentFor(db, 60_000)).toBe(true)
  expect(await idsOf(db)).toEqual(events.slice(0, 100).map(({ eventId }) => eventId))
  expect(await driftOf(db)).toEqual([])
})

test('batches that were not fed when the task passed them are there once, whichever release feeds them', async ({ db }) => {
  const events = [interaction(), interaction()]
  const [first, second] = [await record(db, [events[0]!]), await record(db, [events[1]!])]
  await recordNewSearches(db, [search()])
  await forgetBatches(db)
  expect(await bringRecentFor(db, 60_000)).toBe(true)
  expect(await idsOf(db)).toEqual([])
  await feedBatch(db, first)
  await feedWithoutRecent(db, second)
  expect(await bringRecentFor(db, 60_000)).toBe(true)
  expect((await idsOf(db)).toSorted()).toEqual(events.map(({ eventId }) => eventId).toSorted())
  expect(await driftOf(db)).toEqual([])
})

test('events that are years apart are brought', async ({ db }) => {
  const events = [0, 400, 3_000].map((days) => interaction({ occurredAtMs: NOW_MS - days * DAY_MS }))
  await feedWithoutRecent(db, await record(db, [events[0]!, events[2]!]))
  await feedWithoutRecent(db, await record(db, [events[1]!]))
  expect(await bringRecentFor(db, 60_000)).toBe(true)
  expect(await idsOf(db)).toEqual(events.map(({ eventId }) => eventId))
  expect(await driftOf(db)).toEqual([])
})

test('bringing, feeding by both releases, and counting at the same time end without a deadlock and without drift', async ({
  db,
}) => {
  const history = await Promise.all(Array.from({ length: 40 }, () => record(db, many())))
  for (const batch of history) await feedWithoutRecent(db, batch)
  await forgetBatches(db)
  const batches = await Promise.all(Array.from({ length: 30 }, () => record(db, many())))
  await Promise.all([
    ...batches.map((batch, index) => (index % 2 === 0 ? feedBatch(db, batch) : feedWithoutRecent(db, batch, 3))),
    ...[...history, ...batches].map((batch) => countBatch(db, batch)),
    ...Array.from({ length: 3 }, () => bringRecentFor(db, 60_000)),
  ])
  expect(await bringRecentFor(db, 60_000)).toBe(true)
  expect(await driftOf(db)).toEqual([])
  const { rows } = await sql<{ n: number }>`select count(*)::int as n from interaction_batch where recent_at is null`.execute(db)
  expect(rows).toEqual([{ n: 0 }])
})

function many(): NewInteraction[] {
  return Array.from({ length: 20 }, (_, index) =>
    interaction({ accountId: `a${index % 3}`, refId: `p${index % 4}`, occurredAtMs: NOW_MS - Math.floor(Math.random() * 1e6) }),
  )
}

test('in any order of both releases, the task and resends, verify finds nothing, and all ends as one release would leave it', async ({
  db,
  proofs,
}) => {
  const steps = fc.array(fc.constantFrom('record', 'resend', 'feed', 'feed without', 'bring'), { maxLength: 15, size: 'max' })
  await fc.assert(
    fc.asyncProperty(steps, async (taken) => {
      await clear(db)
      const sent: NewInteraction[] = []
      const batches: BatchRef[] = []
      const next = () => batches[Math.floor(batches.length / 2)]
      for (const step of taken) {
        if (step === 'record') {
          sent.push(
            ...Array.from({ length: 30 }, () => interaction({ occurredAtMs: NOW_MS - sent.length, eventId: randomUUID() })),
          )
          batches.push(await record(db, sent.slice(-30)))
        } else if (step === 'resend') batches.push(await record(db, sent.slice(0, 10)))
        else if (step === 'bring') await bringRecent(db)
        else if (next() !== undefined) await (step === 'feed' ? feedBatch(db, next()!) : feedWithoutRecent(db, next()!, 0))
        expect(await driftOf(proofs)).toEqual([])
      }
      for (const batch of batches) await feedBatch(db, batch)
      expect(await bringRecentFor(db, 60_000)).toBe(true)
      const expected = sent.map(({ eventId, occurredAtMs, refId: productId, eventType }) => ({
        eventId,
        occurredAtMs,
        productId,
        eventType,
      }))
      expect(await recentEventsOf(db, ['account:a'])).toEqual(newestEvents(expected))
      expect(await driftOf(proofs)).toEqual([])
    }),
    { numRuns: 8 },
  )
})
