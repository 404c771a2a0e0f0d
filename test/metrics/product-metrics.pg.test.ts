import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { expect } from 'vitest'
import type { Product } from '../../src/contract/product.ts'
import { changeLowStock, lowStock } from '../../src/store/metrics/low-stock.ts'
import { categoryMetrics, lowStockMetrics, sellerMetrics } from '../../src/store/metrics/metric-state.ts'
import { rebuildMetrics } from '../../src/store/metrics/rebuild.ts'
import { PRODUCT_METRIC } from '../../src/store/proof/product-metric-drift.ts'
import { verify } from '../../src/store/proof/verification.ts'
import { connect } from '../../src/store/database/connection.ts'
import { clearCatalog, foldAll, storedMetrics } from '../harness/items/product-metrics.ts'
import { product, upsert } from '../harness/items/products.ts'
import { pgTest as test } from '../harness/fixtures.ts'

test.beforeEach(({ db }) => clearCatalog(db))

const SECONDS = ['2026-03-01T12:00:00.000Z', '2026-03-01T12:00:00.001Z', '2026-03-01T12:00:01.000Z']

const lamp = (changes: Partial<Product> = {}) =>
  product({ product_id: 'lamp', seller_id: 'north', category: 'lighting', price: 500, currency: 'EUR', quantity: 3, ...changes })

test('a seller, a category and low stock come to what the catalog has, before and after a fold', async ({ db }) => {
  await upsert(db, [
    lamp(),
    lamp({ product_id: 'desk', price: 1_001, quantity: 10 }),
    lamp({ product_id: 'chair', price: 700, currency: 'USD', quantity: -2 }),
    lamp({ product_id: 'rug', status: 'hidden', quantity: 1 }),
    lamp({ product_id: 'old', status: 'deleted' }),
    product({ product_id: 'free', seller_id: 'north', category: 'lighting' }),
  ])
  const seller = {
    ...{ seller_id: 'north', total_products: 6, active_products: 4, deleted_products: 1 },
    amounts: [
      { currency: 'EUR', amount: 3 * 500 + 10 * 1_001 + 500 },
      { currency: 'USD', amount: 0 },
    ],
  }
  const category = {
    ...{ category: 'lighting', total_products: 5 },
    amounts: seller.amounts,
    average_prices: [
      { currency: 'EUR', amount: 667 },
      { currency: 'USD', amount: 700 },
    ],
  }
  const check = async () => {
    expect(await sellerMetrics(db, 'north')).toMatchObject(seller)
    expect(await categoryMetrics(db, 'lighting')).toMatchObject(category)
    expect(await lowStockMetrics(db)).toMatchObject({ low_stock_count: 2 })
  }
  await check()
  await foldAll(db)
  await check()
  const { last_updated: updatedAt } = await sellerMetrics(db, 'north')
  expect(Date.parse(updatedAt!)).toBeGreaterThan(Date.now() - 60_000)
})

test('a seller without products comes to zeros', async ({ db }) => {
  const zeros = { total_products: 0, active_products: 0, deleted_products: 0, amounts: [], last_updated: null }
  expect(await sellerMetrics(db, 'nobody')).toEqual({ seller_id: 'nobody', ...zeros })
  await upsert(db, [lamp()])
  await upsert(db, [lamp({ seller_id: 'south', updated_at: SECONDS[2]! })])
  expect(await sellerMetrics(db, 'north')).toMatchObject({ total_products: 0, amounts: [] })
})

test('low stock lists active products with fewer than ten items, and which products crossed the line', async ({ db }) => {
  await upsert(db, [
    lamp({ quantity: 10 }),
    lamp({ product_id: 'desk', quantity: 2 }),
    lamp({ product_id: 'none', quantity: 0, status: 'hidden' }),
  ])
  await upsert(db, [lamp({ quantity: 9, updated_at: SECONDS[1]! })])
  await upsert(db, [lamp({ product_id: 'desk', status: 'deleted', quantity: 1, updated_at: SECONDS[1]! })])
  await upsert(db, [lamp({ quantity: 8, updated_at: SECONDS[2]! })])
  await upsert(db, [lamp({ quantity: 10 })])
  const { products, crossings, low_stock_count: count, low_stock_below: below } = await lowStock(db)
  expect({ count, below, products }).toEqual({
    ...{ count: 1, below: 10 },
    products: [{ product_id: 'lamp', seller_id: 'north', name: 'Thing', quantity: 8, category: 'lighting' }],
  })
  const crossed_at = expect.any(String)
  expect(crossings).toEqual([
    { crossed_at, product_id: 'desk', seller_id: 'north', name: 'Thing', is_low: false, quantity_before: 2, quantity: 1 },
    { crossed_at, product_id: 'lamp', seller_id: 'north', name: 'Thing', is_low: true, quantity_before: 10, quantity: 9 },
    { crossed_at, product_id: 'desk', seller_id: 'north', name: 'Thing', is_low: true, quantity_before: null, quantity: 2 },
  ])
})

test('the list of low stock reads the index that has low products alone, also after the line was moved', async ({ db }) => {
  await sql`insert into catalog.product (product_id, name, status, quantity, updated_at, call_id)
    select 'p' || n, 'name', 'active', n, '2026-03-01', gen_random_uuid() from generate_series(1, 20000) n`.execute(db)
  await sql`analyze catalog.product`.execute(db)
  for (const below of [10, 25, 10]) {
    await changeLowStock(db, below, 'test')
    expect(await lowStock(db)).toMatchObject({ low_stock_below: below, low_stock_count: below - 1 })
    expect((await lowStock(db)).products).toHaveLength(below - 1)
    const { rows } = await sql<Record<string, string>>`
      explain select * from catalog.product where status = 'active' and quantity < ${sql.lit(below)} order by quantity, product_id`.execute(
      db,
    )
    expect(JSON.stringify(rows)).toContain('product_low_stock')
    expect((await PRODUCT_METRIC.prove(db, {} as never)).drift).toEqual([])
  }
})

test('deleted and truncated products leave the metrics, also while deltas are not folded', async ({ db }) => {
  await upsert(db, [lamp(), lamp({ product_id: 'desk' })])
  await sql`delete from catalog.product where product_id = 'desk'`.execute(db)
  expect(await sellerMetrics(db, 'north')).toMatchObject({ total_products: 1 })
  await foldAll(db)
  await upsert(db, [lamp({ product_id: 'chair' })])
  await sql`truncate catalog.product`.execute(db)
  expect(await storedMetrics(db)).toEqual({})
})

test('a statement with a thousand products of a seller leaves one delta, and one that changes nothing leaves none', async ({
  db,
}) => {
  const many = Array.from({ length: 1_000 }, (_, index) => product({ product_id: `p${index}`, seller_id: 'north' }))
  await upsert(db, many)
  const deltas = async () => (await sql`select from product_metric_delta`.execute(db)).rows.length
  expect(await deltas()).toBe(1)
  await upsert(
    db,
    many.map((one) => ({ ...one, name: 'Other', updated_at: SECONDS[2]! })),
  )
  expect(await deltas()).toBe(1)
})

test('a rebuild says what differs, corrects it without blocking writers, and then finds nothing', async ({ db }) => {
  await upsert(db, [lamp(), lamp({ product_id: 'desk', seller_id: 'south' })])
  await foldAll(db)
  const right = await storedMetrics(db)
  await sql`update product_metric set total = total + 2, value = 0 where key = 'SELLER#north'`.execute(db)
  await sql`delete from product_metric where key = 'SELLER#south'`.execute(db)
  await sql`insert into product_metric values (1, 1, 0, 0, 0, 'SELLER#stray', '')`.execute(db)
  const wrong = await rebuildMetrics(db, 'test', { isDry: true })
  expect(wrong.cells).toBe(8)
  expect(wrong.shown).toContainEqual({ key: 'SELLER#north', currency: 'EUR', column: 'total', stored: '3', expected: '1' })
  const open = db.transaction().execute(async (tx) => {
    await upsert(tx, [lamp({ product_id: 'chair' })])
    expect(await rebuildMetrics(db, 'test')).toEqual(wrong)
  })
  await open
  await sql`delete from catalog.product where product_id = 'chair'`.execute(db)
  expect(await storedMetrics(db)).toEqual(right)
  expect(await rebuildMetrics(db, 'test')).toEqual({ cells: 0, shown: [] })
  expect((await verify(db)).drift).toEqual([])
})

test('a release that knows nothing of metrics keeps them right: its role may write products and nothing else', async ({
  db,
  database,
}) => {
  const role = sql.id(`products_only_${randomUUID()}`)
  await sql`create role ${role}`.execute(db)
  await sql`grant usage on schema catalog to ${role}`.execute(db)
  await sql`grant select, insert, update on catalog.product to ${role}`.execute(db)
  const older = connect({ url: database.url, name: 'older', connectionsMax: 1 })
  await sql`set role ${role}`.execute(older)
  await sql`insert into catalog.product (product_id, name, seller_id, status, quantity, updated_at, call_id)
    values ('lamp', 'Lamp', 'north', 'active', 1, now(), gen_random_uuid())
    on conflict (product_id) do update set quantity = excluded.quantity`.execute(older)
  await sql`update catalog.product set quantity = 20`.execute(older)
  await expect(sql`insert into product_metric_delta (key) values ('x')`.execute(older)).rejects.toThrow('permission denied')
  await older.destroy()
  await sql`drop owned by ${role}`.execute(db)
  await sql`drop role ${role}`.execute(db)
  expect(await sellerMetrics(db, 'north')).toMatchObject({ total_products: 1 })
  expect((await verify(db)).drift).toEqual([])
})
