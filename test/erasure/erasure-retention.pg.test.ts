import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { expect } from 'vitest'
import { DAY_MS, instantOf } from '../../src/contract/fields/time.ts'
import type { NewInteraction } from '../../src/admission/interaction.ts'
import type { Database } from '../../src/store/database/connection.ts'
import { recordRows } from '../../src/store/log/batch.ts'
import { INTERACTIONS } from '../../src/store/log/interaction.ts'
import { makePartitions, monthOf } from '../../src/store/log/month.ts'
import { dropOldMonths } from '../../src/store/log/retention.ts'
import { verify } from '../../src/store/proof/verification.ts'
import { eraseNextPart } from '../../src/store/erasure/next-part.ts'
import { beginErasure, erasureAt, requestErasure } from '../../src/store/erasure/run-machine.ts'
import { countBatch } from '../../src/store/popularity/counting.ts'
import { feedBatch } from '../../src/store/shoppers/shopper-profile.ts'
import { sweepRecent } from '../../src/store/shoppers/sweep-recent.ts'
import { freshPgTest as test } from '../harness/fixtures.ts'
import { erase, erasureDeps, exported, newTombstones, rowsWith } from '../harness/items/erased.ts'
import { interaction, recordAndCount } from '../harness/items/events.ts'
import { newCall } from '../harness/items/payments.ts'
import { bucketOf, lastDayOf } from '../../src/ranking/bucket.ts'
import { dayOf } from '../../src/ranking/day.ts'
import { addUpWeeks } from '../../src/store/reports/report-block-sums.ts'
import { runDue } from '../../src/store/reports/report-refresh.ts'
import { analyticsEvent, recordEvents, refreshAll, storedSnapshots } from '../harness/items/recomputed.ts'

const DAYS = 32
const PERSON = 'account:ada-lovelace'
const NOON = Math.floor(Date.now() / DAY_MS) * DAY_MS - DAY_MS / 2
const ago = (days: number) => NOON - days * DAY_MS
const driftOf = async (db: Database) => (await verify(db)).drift

/** Events of the person and of Bob, new and of a month that is dropped; and reports whose entities they are. */
async function populate(db: Database): Promise<NewInteraction[]> {
  await makePartitions(
    db,
    [5, 150].map((days) => monthOf(ago(days))),
  )
  const events = [5, 150].flatMap((days) =>
    ['ada-lovelace', 'bob'].flatMap((accountId) => [
      interaction({ accountId, refId: 'lamp', occurredAtMs: ago(days) }),
      interaction({ accountId, refId: `of ${days}`, sessionId: `tab-of-${accountId}`, occurredAtMs: ago(days) - 1_000 }),
    ]),
  )
  await sql`insert into shopper_redirect (session_id, account_id) values ('tab-of-ada-lovelace', 'ada-lovelace')`.execute(db)
  await recordAndCount(db, events)
  const ofReports = [5, 150].flatMap((days) =>
    ['ada-lovelace', 'tab-of-ada-lovelace', 'bob'].map((entityId, n) =>
      analyticsEvent({ entityId, occurredAtMs: ago(days), amount: 100 + n, currency: 'EUR', processingMs: 10 + n }),
    ),
  )
  await recordEvents(db, ofReports)
  await refreshAll(db)
  return events
}

/** Builds all weeks of some months, and their blocks. */
async function addUpBlocks(db: Database): Promise<void> {
  const days = { from: bucketOf('week', dayOf(ago(260))), to: lastDayOf('week', bucketOf('week', dayOf(ago(0)))) }
  await runDue(db, randomUUID(), { kind: 'refresh', report: 'top-entities', window: 'week', days })
  expect(await addUpWeeks(db, 0)).toBeGreaterThanOrEqual(3)
}

async function profilesOf(db: Database): Promise<unknown[]> {
  const { rows } = await sql`
    select case when shopper_id like '%:erased-%' then 'the person' else replace(shopper_id, ${PERSON}, 'the person') end as shopper,
      product_id as product, events from shopper_product order by 1, 2`.execute(db)
  return rows
}

/** Snapshots with the person's ids, or pseudonyms, left out: their values in order. */
async function numbersOf(db: Database): Promise<unknown> {
  const named = Object.entries(await storedSnapshots(db)).map(([key, value]) => {
    return `${key.replace(/entity (erased-\w+|(tab-of-)?ada-lovelace)/, 'entity of the person')} = ${value}`
  })
  return named.toSorted()
}

for (const order of ['before', 'after'] as const) {
  test(`a person who is erased ${order} a month is dropped is nowhere, and numbers of sealed buckets stay`, async ({ db }) => {
    const events = await populate(db)
    await addUpBlocks(db)
    const [profiles, numbers] = [await profilesOf(db), await numbersOf(db)]
    if (order === 'after') await dropOldMonths(db, DAYS)
    await erase(db, PERSON)
    expect(await driftOf(db)).toEqual([])
    if (order === 'before') {
      await refreshAll(db)
      await dropOldMonths(db, DAYS)
    }
    await sweepRecent(db)
    await refreshAll(db)
    expect(await rowsWith(db, ['ada-lovelace'])).toEqual([])
    await addUpWeeks(db, 0)
    expect(await exported(db, PERSON)).toEqual([])
    expect(await driftOf(db)).toEqual([])
    expect(await profilesOf(db)).toEqual(profiles)
    expect(await numbersOf(db)).toEqual(numbers)
    const again = events.map((event, index) => ({ ...event, index }))
    const sent = await recordRows(db, INTERACTIONS, newCall(), again, [], undefined, newTombstones())
    // Those of the dropped month are too old, as before; what is kept of them names no erased person.
    expect(sent).toMatchObject({ accepted: 0, duplicateIndexes: [0, 1, 2, 3] })
    expect(sent.rejected.map(({ index, code }) => [index, code])).toEqual([4, 5, 6, 7].map((index) => [index, 'too_old']))
    expect(await rowsWith(db, ['ada-lovelace'])).toEqual([])
  })
}

test('recent events from before the horizon that a sweep has left, because they were locked, go with the person', async ({
  db,
}) => {
  await populate(db)
  await dropOldMonths(db, DAYS)
  await db.transaction().execute(async (tx) => {
    await sql`select from shopper_recent where shopper_id = ${PERSON} for update`.execute(tx)
    await sweepRecent(db)
  })
  const before = sql`select split_part(shopper_id, ':', 1) as kind, count(*)::int as events from shopper_recent group by 1`
  expect((await before.execute(db)).rows).toEqual([{ kind: 'account', events: 6 }])
  const { certificate } = await erase(db, PERSON)
  expect(certificate!.tables).toMatchObject({ shopper_recent: 4 })
  expect(await rowsWith(db, ['ada-lovelace'])).toEqual([])
  expect((await before.execute(db)).rows).toEqual([{ kind: 'account', events: 4 }])
  expect(await driftOf(db)).toEqual([])
})

test('an erasure that began before a month was dropped goes on after it', async ({ db }) => {
  await populate(db)
  const numbers = await numbersOf(db)
  const id = randomUUID()
  await requestErasure(db, id, { shopper_id: PERSON, actor: 'ada' })
  await beginErasure(db, id)
  const steps = new Set<string>()
  while ((await erasureAt(db, id))?.step !== 'profiles') await eraseNextPart(db, id, erasureDeps())
  // Events of the dropped month are found and not yet erased.
  await dropOldMonths(db, DAYS)
  for (let isOpen = true; isOpen;) {
    steps.add((await erasureAt(db, id))!.step)
    isOpen = await eraseNextPart(db, id, erasureDeps())
    expect(await driftOf(db)).toEqual([])
  }
  expect([...steps]).toContain('reports')
  await sweepRecent(db)
  await refreshAll(db)
  expect(await rowsWith(db, ['ada-lovelace'])).toEqual([])
  expect(await numbersOf(db)).toEqual(numbers)
})

test('an erasure seals the time of what it cannot see: a profile of dropped months keeps its numbers when the person is back', async ({
  db,
}) => {
  await populate(db)
  await dropOldMonths(db, DAYS)
  const isBack = interaction({ accountId: 'ada-lovelace', refId: 'of 150', occurredAtMs: Date.now() + 120_000 })
  const id = randomUUID()
  await requestErasure(db, id, { shopper_id: PERSON, actor: 'ada' })
  await beginErasure(db, id)
  await eraseNextPart(db, id, erasureDeps())
  const batch = await recordRows(db, INTERACTIONS, newCall(), [isBack], [], undefined, newTombstones())
  await countBatch(db, batch)
  await feedBatch(db, batch)
  while (await eraseNextPart(db, id, erasureDeps()));
  expect(await driftOf(db)).toEqual([])
  const { rows } = await sql<{ shopper: string; events: number; lastAt: Date }>`
    select left(shopper_id, 15) as shopper, events::int as events, last_at as "lastAt" from shopper_product where product_id = 'of 150' order by 1`.execute(
    db,
  )
  expect(rows.map(({ shopper, events }) => [shopper, events])).toEqual([
    ['account:ada-lov', 1],
    ['account:bob', 1],
    ['account:erased-', 1],
  ])
  expect(instantOf(rows[0]!.lastAt.getTime())).toBe(instantOf(isBack.occurredAtMs))
})
