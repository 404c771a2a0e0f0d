import { sql } from 'kysely'
import { expect } from 'vitest'
import type { PopularProduct } from '../../src/contract/popular-list.ts'
import { DAY_MS } from '../../src/contract/fields/time.ts'
import type { Database } from '../../src/store/database/connection.ts'
import type { BatchBounds, RecordedBatchResult } from '../../src/store/log/batch.ts'
import type { GroupSize } from '../../src/store/log/group.ts'
import { verify } from '../../src/store/proof/verification.ts'
import { countBatch } from '../../src/store/popularity/counting.ts'
import { popularPage } from '../../src/store/popularity/popular-page.ts'
import { feedBatch } from '../../src/store/shoppers/shopper-profile.ts'
import { pgTest as test } from '../harness/fixtures.ts'
import { interaction, record, recordAndCount } from '../harness/items/events.ts'
import { clear } from '../harness/servers/database.ts'

test.beforeEach(({ db }) => clear(db))

/** A batch with an event of each of these days ago. */
function recordDays(db: Database, ...daysAgo: number[]) {
  return record(
    db,
    daysAgo.map((days) => interaction({ refId: `p${days % 7}`, occurredAtMs: Date.now() - days * DAY_MS })),
  )
}

test('a group is made of wide batches, or of batches within a year', async ({ db }) => {
  const now = await recordDays(db, 0, 30)
  const lastMonth = await recordDays(db, 35)
  const wide = await recordDays(db, 0, 400)
  const old = await recordDays(db, 3_000, 3_001)
  const wider = await recordDays(db, 10, 9_000)
  const [later, oldToo] = [await recordDays(db, 1), await recordDays(db, 2_900)]
  for (const take of [countBatch, feedBatch]) {
    const groups: GroupSize[] = []
    expect(await take(db, now, { onGroup: (group) => groups.push(group) })).toEqual({ batches: 5, events: 7 })
    expect(groups).toEqual([
      { batches: 3, events: 4 },
      { batches: 2, events: 3 },
    ])
    for (const batch of [later, old, oldToo, lastMonth]) expect(await take(db, batch)).toEqual({ batches: 0, events: 0 })
    expect(await take(db, wider)).toEqual({ batches: 2, events: 4 })
    expect(await take(db, wide)).toMatchObject({ batches: 0 })
  }
  expect((await verify(db)).drift).toEqual([])
})

/** As many waiting batches without events, of now. */
async function recordEmpty(db: Database, count: number): Promise<void> {
  await sql`
    insert into interaction_batch (occurred_from, occurred_to, events, invocation_id, body_sha256, kind)
    select now(), now(), 0, 'empty ' || gen_random_uuid(), '', 'interaction' from generate_series(1, ${count})`.execute(db)
}

function boundsOf({ batchId, from, to, call }: RecordedBatchResult): BatchBounds {
  return { batchId, from, to, call }
}

test('a group is made of batches with numbers near that of its first one, however many wait', async ({ db }) => {
  // Its first attempt finds no partition and uses a number up.
  const far = await recordDays(db, 0, 400)
  const near = await recordDays(db, 0, 400)
  await recordEmpty(db, 999)
  const own = await recordDays(db, 0, 400)
  await recordEmpty(db, 999)
  const nearToo = await recordDays(db, 0, 400)
  const farToo = await recordDays(db, 0, 400)
  for (const take of [countBatch, feedBatch]) {
    expect(await take(db, own)).toEqual({ batches: 3, events: 6, next: boundsOf(farToo) })
    expect(await take(db, near)).toEqual({ batches: 1, events: 2, next: boundsOf(farToo) })
    expect(await take(db, nearToo)).toEqual({ batches: 1, events: 2 })
    for (const batch of [far, farToo]) expect(await take(db, batch)).toEqual({ batches: 0, events: 0 })
  }
  expect((await verify(db)).drift).toEqual([])
})

test('events of every age in one batch are recorded, deduplicated, counted, and in the windows of their times', async ({
  db,
}) => {
  const daysAgo = Array.from({ length: 120 }, (_, n) => n * 75)
  const events = daysAgo.map((days) => interaction({ refId: days < 7 ? 'new' : 'old', occurredAtMs: Date.now() - days * DAY_MS }))
  expect(await recordAndCount(db, events)).toMatchObject({ accepted: 120, duplicateIndexes: [] })
  const resent = [events[7]!, interaction({ refId: 'new' }), events[100]!]
  expect(await recordAndCount(db, resent)).toMatchObject({ accepted: 1, duplicateIndexes: [0, 2] })
  expect((await verify(db)).drift).toEqual([])
  const popular = async (days: number) => {
    const request = { mode: 'most_viewed', limit: 10, min_interactions: 1, time_window_days: days } as const
    const { rows } = await popularPage(db, request, Date.now())
    return rows.map((json) => (JSON.parse(json) as PopularProduct).product_id).toSorted()
  }
  expect(await popular(30)).toEqual(['new'])
  expect(await popular(90)).toEqual(['new', 'old'])
})
