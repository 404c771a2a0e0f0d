import { sql } from 'kysely'
import { expect } from 'vitest'
import { dropOldImpressions, recordImpressions } from '../../src/store/recommendations/impressions.ts'
import type { Database } from '../../src/store/database/connection.ts'
import { keptMetadata } from '../../src/admission/erased-item.ts'
import { verify } from '../../src/store/proof/verification.ts'
import { DAY_MS } from '../../src/contract/fields/time.ts'
import { pgTest as test } from '../harness/fixtures.ts'
import { erase, exported, newTombstones } from '../harness/items/erased.ts'
import { impression, recordedImpressions } from '../harness/items/impressions.ts'
import { clear } from '../harness/servers/database.ts'

test.beforeEach(({ db }) => clear(db))

const daysOf = async (db: Database) =>
  (
    await sql<Record<string, unknown>>`
      select to_char(day, 'YYYY-MM-DD') as day, strategy, blend, similarity_version::int as version, impressions::int, products::int
      from impression_day order by 1, 2, 3, 4`.execute(db)
  ).rows
const driftOf = async (db: Database) => (await verify(db)).drift
const at = (days: number) => new Date(Date.UTC(2026, 2, 1) + days * DAY_MS + 1_000).toISOString()

test('an impression is recorded once, however often it is sent, and counted with its products', async ({ db }) => {
  const one = impression({ shown_at: at(0) })
  const other = impression({ shown_at: at(0), strategy: 'popular', similarity_version: null, shopper_id: null, product_ids: [] })
  expect(await recordImpressions(db, [one, other, one])).toBe(2)
  expect(await recordImpressions(db, [other, { ...one, product_ids: ['chair'] }])).toBe(0)
  expect(await recordedImpressions(db)).toEqual(
    [one, other].toSorted((a, b) => (a.recommendation_id < b.recommendation_id ? -1 : 1)),
  )
  expect(await daysOf(db)).toEqual([
    { day: '2026-03-01', strategy: 'personal', blend: 'similarity', version: 7, impressions: 1, products: 2 },
    { day: '2026-03-01', strategy: 'popular', blend: 'similarity', version: 0, impressions: 1, products: 0 },
  ])
  expect(await driftOf(db)).toEqual([])
})

test('attempts that overlap record and count each impression once', async ({ db }) => {
  const all = Array.from({ length: 300 }, () => impression({ shown_at: at(0) }))
  const added = await Promise.all([1, 2, 3, 4].map(() => recordImpressions(db, all)))
  expect(added.reduce((sum, count) => sum + count, 0)).toBe(300)
  expect(await daysOf(db)).toMatchObject([{ impressions: 300, products: 600 }])
})

test('impressions of days that ended long ago are deleted with what their days count; the rest stays', async ({ db }) => {
  const daysAgo = (days: number) => new Date(Date.now() - days * DAY_MS).toISOString()
  const kept = [impression({ shown_at: daysAgo(89) }), impression()]
  await recordImpressions(db, [impression({ shown_at: daysAgo(92) }), impression({ shown_at: daysAgo(200) }), ...kept])
  expect(await dropOldImpressions(db, 90)).toBe(2)
  expect(await driftOf(db)).toEqual([])
  expect(await dropOldImpressions(db, 90)).toBe(0)
  expect(await recordedImpressions(db)).toEqual(kept)
  expect(await daysOf(db)).toHaveLength(2)
})

test('an erasure gives impressions the pseudonym of the person, and the export shows them before', async ({ db }) => {
  const own = impression({ shopper_id: 'account:ada' })
  await recordImpressions(db, [own, impression({ shopper_id: 'account:bob' }), impression({ shopper_id: 'session:tab' })])
  await sql`insert into shopper_redirect (session_id, account_id) values ('tab', 'ada')`.execute(db)
  expect((await exported(db, 'account:ada')).filter(({ table }) => table === 'impression')).toHaveLength(2)
  const run = await erase(db, 'account:ada')
  expect(run).toMatchObject({ certificate: { tables: { impression: 2 } } })
  const shoppers = (await recordedImpressions(db)).map(({ shopper_id: id }) => id)
  expect(shoppers.filter((id) => /^(account|session):erased-/.test(id!))).toHaveLength(2)
  expect(shoppers.filter((id) => id === 'account:bob')).toHaveLength(1)
  expect(await driftOf(db)).toEqual([])

  // An impression of before the erasure that waited until after it.
  const late = impression({ shown_at: own.shown_at })
  const tombstones = newTombstones()
  expect(await recordImpressions(db, [late], tombstones)).toBe(1)
  const back = impression({ shown_at: new Date(Date.now() + 1_000).toISOString() })
  expect(await recordImpressions(db, [back], tombstones)).toBe(1)
  const recorded = new Map((await recordedImpressions(db)).map((row) => [row.recommendation_id, row.shopper_id]))
  expect(recorded.get(late.recommendation_id)).toBeNull()
  expect(recorded.get(back.recommendation_id)).toBe('account:ada')
})

const ID = '0D1d5a8e-1f0a-4c8e-9a53-6a2f5f9d2b11'
test.for([
  ['click_from_recommendation', { recommendation_id: ID, note: 'for Ada' }, { recommendation_id: ID }],
  ['purchase', { recommendation_id: ID, order_id: 'o' }, { recommendation_id: ID }],
  ['click_from_search', { recommendation_id: ID, query: 'lamp' }, { recommendation_id: ID, query: 'lamp' }],
  ['rating_high', { recommendation_id: ID, rating: 5 }, { recommendation_id: ID, rating: 5 }],
  ['view', { recommendation_id: 'of Ada' }, null],
  ['view', { recommendation_id: `${ID} of Ada` }, null],
  ['view', { recommendation_id: { of: 'Ada' } }, null],
  ['view', { note: 'for Ada' }, null],
] as const)('of an erased %s with %o the database and the program keep %o', async ([type, metadata, kept], { db }) => {
  const { rows } = await sql<{ kept: object | null }>`
    select kept_metadata(${type}, ${JSON.stringify(metadata)}::jsonb) as kept`.execute(db)
  expect(rows[0]!.kept).toEqual(kept)
  expect(keptMetadata(type, metadata) ?? null).toEqual(kept)
})
