import { sql } from 'kysely'
import { expect } from 'vitest'
import { RecommendRequest } from '../../src/contract/recommendation.ts'
import type { ReadLive } from '../../src/store/recommendations/known-shopper.ts'
import { createRecommender } from '../../src/store/recommendations/recommender.ts'
import { sharedReads } from '../../src/store/recommendations/shared-reads.ts'
import { createServedVersions } from '../../src/store/similarity/served-versions.ts'
import type { Database } from '../../src/store/database/connection.ts'
import { idsOf } from '../harness/clients/recommendations.ts'
import { pgTest as test } from '../harness/fixtures.ts'
import { SETTINGS } from '../harness/items/recommendations.ts'
import { storeShop, versionOfLog, viewed } from '../harness/items/shop-with-history.ts'
import { clear } from '../harness/servers/database.ts'

test.beforeEach(async ({ db }) => {
  await clear(db)
  await sql`delete from catalog.product`.execute(db)
  await storeShop(db)
})

function answer(db: Database, live: ReadLive, request: Partial<RecommendRequest> = {}) {
  const versions = createServedVersions({ db, bytesMax: 1024 * 1024, pollMs: 0 })
  const recommend = createRecommender({
    ...{ versions, settings: SETTINGS },
    ...sharedReads({ db, cacheMs: 0, rules: SETTINGS.rules }),
  })
  const recommendationId = '019ca8f2-6c00-7c3e-8f5a-5b0f2a6d9c11'
  const asked = RecommendRequest.parse({ session_id: 'visitor', ...request })
  return recommend(db, asked, { recommendationId, nowMs: Date.now(), live })
}

const away: ReadLive = async () => undefined
const nothing: ReadLive = async () => []

test('while live events do not answer, the list is made of what is fed, and the answer says so', async ({ db }) => {
  await viewed(db, { sessionId: 'visitor' }, ['p01', 'p02', 'p03', 'p04', 'p05'])
  await versionOfLog(db)
  const [whole, partial] = [await answer(db, nothing), await answer(db, away)]
  expect([whole.meta.is_partial, partial.meta.is_partial]).toEqual([false, true])
  expect(partial.data).toEqual(whole.data)
  expect(idsOf(partial)[0]).toBe('p06')
})

test('four interactions give popular products, five the products of the history, unless the request says another number', async ({
  db,
}) => {
  await versionOfLog(db)
  const strategyWith = async (interactions_min?: number) =>
    (await answer(db, nothing, interactions_min === undefined ? {} : { interactions_min })).meta.strategy
  await viewed(db, { sessionId: 'visitor' }, ['p01', 'p02', 'p03', 'p04'])
  expect([await strategyWith(), await strategyWith(5), await strategyWith(4)]).toEqual(['popular', 'popular', 'personal'])
  await viewed(db, { sessionId: 'visitor' }, ['p01'])
  expect([await strategyWith(), await strategyWith(6)]).toEqual(['personal', 'popular'])
})
