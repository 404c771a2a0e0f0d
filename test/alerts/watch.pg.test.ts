import { sql } from 'kysely'
import { expect } from 'vitest'
import type { Alert, CreateAlert } from '../../src/contract/alert.ts'
import { MODES, type Mode } from '../../src/contract/popular-list.ts'
import { changeAlert, deleteAlert } from '../../src/store/alerts/alert.ts'
import { dropSubjects, watchAlert, watchedAlerts } from '../../src/store/alerts/watch.ts'
import type { Database } from '../../src/store/database/connection.ts'
import { refreshRising } from '../../src/store/popularity/rising.ts'
import { clearAlerts, crossings, makeAlert } from '../harness/items/alerts.ts'
import { interaction, recordAndCount, recordNewSearches, search } from '../harness/items/events.ts'
import { product, upsert } from '../harness/items/products.ts'
import { clear } from '../harness/servers/database.ts'
import { pgTest as test } from '../harness/fixtures.ts'

test.beforeEach(async ({ db }) => {
  await clear(db)
  await clearAlerts(db)
  await sql`delete from catalog.product`.execute(db)
})

/** An alert that was compared once. */
async function watched(db: Database, condition: Partial<CreateAlert>): Promise<Alert> {
  const alert = await makeAlert(db, condition)
  await watchAlert(db, alert.id)
  return alert
}

const views = (db: Database, refId: string, count: number) =>
  recordAndCount(
    db,
    Array.from({ length: count }, () => interaction({ refId, eventType: 'view' })),
  )
const subjects = async (db: Database) => (await crossings(db)).map(({ subject }) => subject)
const TOP = { kind: 'enters_top', mode: 'most_viewed', top: 2 } as const

test('a product that comes into the first places is one crossing, and those that are in them are none', async ({ db }) => {
  for (const [id, count] of [
    ['a', 5],
    ['b', 4],
    ['c', 3],
  ] as const)
    await views(db, id, count)
  const alert = await watched(db, TOP)
  expect(await watchAlert(db, alert.id)).toBe(0)
  await views(db, 'c', 3)
  expect(await watchAlert(db, alert.id)).toBe(1)
  expect(await watchAlert(db, alert.id)).toBe(0)
  expect(await crossings(db)).toEqual([
    { alert_id: alert.id, subject: 'c', facts: { product_id: 'c', mode: 'most_viewed', top: 2, place: 1 } },
  ])
  // b is third now, and comes back.
  await views(db, 'b', 4)
  await watchAlert(db, alert.id)
  expect(await subjects(db)).toEqual(['c', 'b'])
})

test('a product that is behind `top` and not behind `rearm_at` does not cross again', async ({ db }) => {
  for (const [id, count] of [
    ['a', 20],
    ['b', 4],
    ['c', 3],
    ['d', 2],
  ] as const)
    await views(db, id, count)
  const alert = await watched(db, { ...TOP, rearm_at: 3 })
  await views(db, 'c', 2)
  await watchAlert(db, alert.id)
  await views(db, 'b', 2)
  await watchAlert(db, alert.id)
  expect(await subjects(db)).toEqual(['c'])
  await views(db, 'd', 10)
  await watchAlert(db, alert.id)
  await views(db, 'c', 10)
  await watchAlert(db, alert.id)
  expect(await subjects(db)).toEqual(['c', 'd', 'c'])
})

test('an alert about a category has the list of the category, and tells of the products of its seller', async ({ db }) => {
  await upsert(
    db,
    ['a', 'b', 'c'].map((product_id, n) => product({ product_id, category: product_id === 'a' ? 'l' : 'k', seller_id: `s${n}` })),
  )
  const ofCategory = await watched(db, { ...TOP, top: 1, filter: { category: 'k' } })
  const ofSeller = await watched(db, { ...TOP, filter: { seller_id: 's2' } })
  const ofProduct = await watched(db, { ...TOP, filter: { product_id: 'a' } })
  await views(db, 'a', 9)
  await views(db, 'b', 5)
  for (const { id } of [ofCategory, ofSeller, ofProduct]) await watchAlert(db, id)
  await views(db, 'c', 7)
  for (const { id } of [ofCategory, ofSeller, ofProduct]) await watchAlert(db, id)
  const told = (await crossings(db)).map(({ alert_id: id, subject }) => [id, subject])
  expect(told).toEqual([
    [ofCategory.id, 'b'],
    [ofProduct.id, 'a'],
    [ofCategory.id, 'c'],
    [ofSeller.id, 'c'],
  ])
})

test.for(Object.keys(MODES) as Mode[])('an alert can be about the list %s', async (mode, { db }) => {
  const alert = await watched(db, { kind: 'enters_top', mode, top: 100, rearm_at: 100 })
  await recordAndCount(
    db,
    ['view', 'add_to_cart', 'purchase', 'click_from_search'].map((eventType) => interaction({ eventType, refId: 'a' })),
  )
  await recordAndCount(
    db,
    Array.from({ length: 30 }, () => interaction({ refId: 'a', eventType: 'view' })),
  )
  await refreshRising(db, Date.now())
  expect(await watchAlert(db, alert.id)).toBe(1)
})

test('a rising score above the threshold crosses once, until it was back at rearm_at', async ({ db }) => {
  const alert = await watched(db, { kind: 'rising_above', above: 3, rearm_at: 2 })
  const rises = async (score: number | undefined) => {
    await sql`delete from product_rising`.execute(db)
    if (score !== undefined) await sql`insert into product_rising (product_id, rising_score) values ('a', ${score})`.execute(db)
    await watchAlert(db, alert.id)
  }
  for (const score of [2.5, 3, 3.5, 2.5, 4, undefined, 3.1, 2, 5]) await rises(score)
  expect((await crossings(db)).map(({ facts }) => facts)).toEqual(
    [3.5, 3.1, 5].map((rising_score) => ({ product_id: 'a', above: 3, rising_score })),
  )
  await upsert(db, [product({ product_id: 'a', status: 'hidden' })])
  await rises(undefined)
  await rises(9)
  expect(await crossings(db)).toHaveLength(3)
})

const searches = (db: Database, query: string, count: number, changes = {}) =>
  recordNewSearches(
    db,
    Array.from({ length: count }, () => search({ query, productIds: [], ...changes })),
  )

test('a query that found nothing more often than the threshold crosses once a day', async ({ db }) => {
  await searches(db, 'early', 4)
  const alert = await watched(db, { kind: 'finds_nothing', more_than: 3 })
  await searches(db, 'found', 9, { productIds: ['a'] })
  await searches(db, 'lamp', 3)
  expect(await watchAlert(db, alert.id)).toBe(0)
  await searches(db, 'lamp', 1)
  expect(await watchAlert(db, alert.id)).toBe(1)
  await searches(db, 'lamp', 9)
  await searches(db, 'early', 9)
  expect(await watchAlert(db, alert.id)).toBe(0)
  const yesterdayMs = Date.parse(`${new Date().toISOString().slice(0, 10)}T00:00:00Z`) - 3_600_000
  await searches(db, 'lamp', 5, { occurredAtMs: yesterdayMs })
  expect(await watchAlert(db, alert.id)).toBe(1)
  const day = (ms: number) => new Date(ms).toISOString().slice(0, 10)
  expect((await crossings(db)).map(({ facts }) => facts)).toEqual([
    { query: 'lamp', day: day(Date.now()), searches: 4, more_than: 3 },
    { query: 'lamp', day: day(yesterdayMs), searches: 5, more_than: 3 },
  ])
})

test('an alert that is off learns and notes nothing, and a deleted one is not watched', async ({ db }) => {
  const alert = await watched(db, TOP)
  await changeAlert(db, { alert_id: alert.id, is_on: false, actor: 'tests' })
  await views(db, 'a', 3)
  await watchAlert(db, alert.id)
  await changeAlert(db, { alert_id: alert.id, is_on: true, actor: 'tests' })
  expect(await watchAlert(db, alert.id)).toBe(0)
  expect(await watchedAlerts(db)).toEqual([alert.id])
  await deleteAlert(db, { alert_id: alert.id, actor: 'tests' })
  expect(await watchedAlerts(db)).toEqual([])
  await views(db, 'b', 3)
  expect(await watchAlert(db, alert.id)).toBe(0)
  expect(await crossings(db)).toEqual([])
})

const RISING = { kind: 'rising_above', above: 2 } as const
const LOST = { kind: 'finds_nothing', more_than: 1 } as const
const cross = {
  enters_top: (db: Database) => views(db, 'a', 3),
  rising_above: (db: Database) => sql`insert into product_rising (product_id, rising_score) values ('a', 9)`.execute(db),
  finds_nothing: (db: Database) => searches(db, 'a', 2),
}

test.for([TOP, RISING, LOST])(
  'an attempt that dies before it commits notes nothing, and the next one everything: %j',
  async (condition, { db }) => {
    const alert = await watched(db, condition)
    await cross[condition.kind](db)
    await sql`create function die() returns trigger language plpgsql as $$ begin raise exception 'dies'; end $$`.execute(db)
    await sql`create constraint trigger dies after insert on alert_crossing deferrable initially deferred
    for each row execute function die()`.execute(db)
    await expect(watchAlert(db, alert.id)).rejects.toThrow('dies')
    await sql`drop function die() cascade`.execute(db)
    expect(await crossings(db)).toEqual([])
    expect(await watchAlert(db, alert.id)).toBe(1)
    // As when the process died after the commit.
    expect(await watchAlert(db, alert.id)).toBe(0)
    expect(await subjects(db)).toEqual(['a'])
  },
)

test('attempts that overlap note each crossing once', async ({ db }) => {
  const alert = await watched(db, { ...TOP, top: 50, rearm_at: 50 })
  await recordAndCount(
    db,
    Array.from({ length: 40 }, (_, n) => interaction({ refId: `p${n}`, eventType: 'view' })),
  )
  const counts = await Promise.all(Array.from({ length: 6 }, () => watchAlert(db, alert.id)))
  expect(counts.filter((count) => count > 0)).toEqual([40])
  expect(new Set(await subjects(db)).size).toBe(40)
})

test('subjects of days that are over and of deleted alerts are deleted', async ({ db }) => {
  const kept = await watched(db, TOP)
  const gone = await watched(db, TOP)
  await deleteAlert(db, { alert_id: gone.id, actor: 'tests' })
  await sql`update alert set deleted_at = now() - interval '2 hours' where alert_id = ${gone.id}::uuid`.execute(db)
  await sql`insert into alert_subject (alert_id, day, subject) values
    (${kept.id}::uuid, current_date - 3, 'old'), (${kept.id}::uuid, current_date, 'new'), (${kept.id}::uuid, '-infinity', 'p'),
    (${gone.id}::uuid, '-infinity', 'q')`.execute(db)
  expect(await dropSubjects(db)).toBe(false)
  const { rows } = await sql<{ subject: string }>`select subject from alert_subject order by 1`.execute(db)
  expect(rows.map(({ subject }) => subject)).toEqual(['new', 'p'])
})
