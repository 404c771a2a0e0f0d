import { sql } from 'kysely'
import { expect } from 'vitest'
import { newerProducts, popularAmong } from '../../src/store/recommendations/shared-lists.ts'
import { pgTest as test } from '../harness/fixtures.ts'
import { interaction, recordAndCount } from '../harness/items/events.ts'
import { product, upsert } from '../harness/items/products.ts'
import { storeShop, versionOfLog } from '../harness/items/shop-with-history.ts'
import { clear } from '../harness/servers/database.ts'

test.beforeEach(async ({ db }) => {
  await clear(db)
  await sql`delete from catalog.product`.execute(db)
})

const YEARS_AGO_MS = Date.UTC(2020, 0, 1)

test('products that no longer trend are listed by their scores of all time', async ({ db }) => {
  await upsert(
    db,
    ['a', 'b', 'c', 'd'].map((product_id) => product({ product_id, category: 'lamps' })),
  )
  const events = ['b', 'd', 'd', 'd', 'c', 'c'].map((refId, at) => interaction({ refId, occurredAtMs: YEARS_AGO_MS + at }))
  await recordAndCount(db, events)
  expect(await popularAmong(db, { categoryIds: new Set(['lamps']) })).toEqual(['d', 'c', 'b', 'a'])
})

test('products that a version does not have are newer than it, if they can be bought and have a category or a brand', async ({
  db,
}) => {
  await storeShop(db)
  const version = await versionOfLog(db)
  expect(await newerProducts(db, version)).toEqual([])
  await upsert(db, [
    product({ product_id: 'x1', category: 'c1' }),
    product({ product_id: 'x2', brand: 'b1' }),
    product({ product_id: 'x3' }),
    product({ product_id: 'x4', category: 'c1', status: 'hidden' }),
    product({ product_id: 'x5', category: 'c1', quantity: 0 }),
  ])
  expect((await newerProducts(db, version)).toSorted()).toEqual(['x1', 'x2'])
  await recordAndCount(db, [interaction({ refId: 'x2', occurredAtMs: YEARS_AGO_MS })])
  expect(await newerProducts(db, version)).toEqual(['x2', 'x1'])
})
