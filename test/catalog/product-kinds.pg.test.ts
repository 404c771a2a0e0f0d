import { sql } from 'kysely'
import { expect } from 'vitest'
import { KindsRequest } from '../../src/contract/product-kind.ts'
import { HOUR_MS } from '../../src/contract/fields/time.ts'
import type { Database } from '../../src/store/database/connection.ts'
import { kindCounts, kindPage, type ProductKind } from '../../src/store/popularity/product-kinds.ts'
import { rollUpSome } from '../../src/store/popularity/roll-up.ts'
import { pgTest as test } from '../harness/fixtures.ts'
import { interaction, recordAndCount } from '../harness/items/events.ts'
import { product, upsert } from '../harness/items/products.ts'
import { clear } from '../harness/servers/database.ts'

test.beforeEach(async ({ db }) => {
  await clear(db)
  await sql`delete from catalog.product`.execute(db)
})

const NOW_MS = Date.now()
const events = (refId: string, count: number, ageHours: number) =>
  Array.from({ length: count }, () => interaction({ refId, occurredAtMs: NOW_MS - ageHours * HOUR_MS }))

async function wholeList(db: Database, kind: ProductKind, days: number, limit = 100) {
  const counts = await kindCounts(db, { kind, days, nowMs: NOW_MS })
  const rows = []
  for (let cursor: string | undefined; ;) {
    const page = kindPage(counts, kind, KindsRequest.parse({ days, limit, cursor }))
    rows.push(...page.rows)
    if (page.meta.next_cursor === null) return rows
    cursor = page.meta.next_cursor
  }
}

async function storeShop(db: Database): Promise<void> {
  await upsert(db, [
    product({ product_id: 'lamp', category: 'lights', brand: 'Lumen' }),
    product({ product_id: 'bulb', category: 'lights', status: 'hidden' }),
    product({ product_id: 'old', category: 'lights', brand: 'Gone', status: 'deleted' }),
    product({ product_id: 'desk', category: 'desks', brand: 'Lumen' }),
    product({ product_id: 'rug', category: 'rugs' }),
    product({ product_id: 'thing' }),
  ])
  await recordAndCount(db, [
    ...events('lamp', 3, 1),
    ...events('bulb', 1, 167),
    ...events('old', 2, 2),
    // Before the window of seven days, and before the one that it is compared with.
    ...events('lamp', 4, 170),
    ...events('lamp', 9, 400),
    ...events('desk', 5, 300),
    ...events('unknown', 9, 1),
  ])
}

test('categories and brands have products, events and their change', async ({ db }) => {
  await storeShop(db)
  expect(await wholeList(db, 'category', 7)).toEqual([
    { name: 'lights', products: 2, events: 6, change: 50 },
    { name: 'desks', products: 1, events: 0, change: -100 },
    { name: 'rugs', products: 1, events: 0, change: null },
  ])
  expect(await wholeList(db, 'brand', 7)).toEqual([{ name: 'Lumen', products: 2, events: 3, change: -66.67 }])
  expect(await wholeList(db, 'brand', 30)).toEqual([{ name: 'Lumen', products: 2, events: 21, change: null }])
})

test('pages of any length have each row once, and rolled-up days count as their hours', async ({ db }) => {
  await storeShop(db)
  const whole = await wholeList(db, 'category', 7)
  for (const limit of [1, 2, 3]) expect(await wholeList(db, 'category', 7, limit)).toEqual(whole)
  await rollUpSome(db, 10)
  expect(await wholeList(db, 'brand', 30)).toMatchObject([{ events: 21 }])
  const counts = await kindCounts(db, { kind: 'category', days: 7, nowMs: NOW_MS })
  const { meta } = kindPage(counts, 'category', KindsRequest.parse({ limit: 1 }))
  for (const [kind, days, cursor] of [
    ['brand', 7, meta.next_cursor],
    ['category', 8, meta.next_cursor],
    ['category', 7, 'abc'],
  ] as const) {
    const request = KindsRequest.parse({ days, limit: 1, cursor })
    expect(() => kindPage(counts, kind, request)).toThrow(expect.objectContaining({ field: 'cursor' }))
  }
})
