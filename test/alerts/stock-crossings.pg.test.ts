import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { sql } from 'kysely'
import { expect } from 'vitest'
import type { Product } from '../../src/contract/product.ts'
import { changeAlert, deleteAlert } from '../../src/store/alerts/alert.ts'
import type { Database } from '../../src/store/database/connection.ts'
import { clearAlerts, crossings, makeAlert, textOfCrossing } from '../harness/items/alerts.ts'
import { product, upsert } from '../harness/items/products.ts'
import { keepStoredVersions, storedVersions } from '../harness/items/stored-versions.ts'
import { expectedCrossings } from '../harness/reference/catalog.ts'
import { pgTest as test } from '../harness/fixtures.ts'

test.beforeEach(async ({ db }) => {
  await clearAlerts(db)
  await sql`delete from catalog.product`.execute(db)
})

let minute = 0
/** Stores a newer version of the product p. */
function stock(db: Database, quantity: number | undefined, changes: Partial<Product> = {}) {
  const updated_at = new Date(Date.UTC(2026, 2, 1) + 60_000 * ++minute).toISOString()
  return upsert(db, [product({ quantity, updated_at, ...changes })])
}

const quantities = async (db: Database) => (await crossings(db)).map(({ facts }) => facts['quantity'])

test('a fall below the threshold is one crossing, however far it falls and wherever it stays', async ({ db }) => {
  await makeAlert(db, { kind: 'low_stock', below: 5 })
  for (const quantity of [9, 5, 4, 4, 3, 0, -2, 4]) await stock(db, quantity)
  expect(await quantities(db)).toEqual([4])
  for (const quantity of [5, 3]) await stock(db, quantity)
  expect(await quantities(db)).toEqual([4, 3])
})

test('a crossing has the product, what it was before, and the threshold', async ({ db }) => {
  const alert = await makeAlert(db, { kind: 'low_stock', below: 5 })
  const rest = { seller_id: 's', category: 'k', name: 'Lamp', price: 5, currency: 'EUR' }
  await stock(db, 9, rest)
  await stock(db, 4, rest)
  const facts = { product_id: 'p', name: 'Lamp', seller_id: 's', category: 'k', quantity: 4, previous_quantity: 9, below: 5 }
  const [only, ...more] = await crossings(db)
  expect(only).toEqual({ alert_id: alert.id, subject: 'p', facts: { ...facts, updated_at: expect.any(String) as string } })
  expect(more).toEqual([])
})

test('a product that begins below the threshold has not crossed it', async ({ db }) => {
  await makeAlert(db)
  await stock(db, 3)
  await stock(db, 2)
  await stock(db, undefined)
  await stock(db, 1)
  expect(await crossings(db)).toEqual([])
})

test('a product that stands below the threshold when an alert is made crosses it only after it was back', async ({ db }) => {
  await stock(db, 3)
  await makeAlert(db)
  for (const quantity of [2, 4, 1]) await stock(db, quantity)
  expect(await crossings(db)).toEqual([])
  await stock(db, 9)
  await stock(db, 2)
  expect(await quantities(db)).toEqual([2])
})

test('of a statement with many products each that falls is one crossing of each alert that it concerns', async ({ db }) => {
  const all = await makeAlert(db)
  const some = await makeAlert(db, { filter: { seller_id: 's1' } })
  const batch = (minutes: number, quantityOf: (n: number) => number) =>
    Array.from({ length: 1_000 }, (_, n) =>
      product({
        product_id: `p${n}`,
        seller_id: `s${n % 10}`,
        quantity: quantityOf(n),
        updated_at: new Date(Date.UTC(2026, 4, 1, 0, minutes)).toISOString(),
      }),
    )
  await upsert(
    db,
    batch(1, () => 9),
  )
  await upsert(
    db,
    batch(2, (n) => (n % 2 === 1 ? 3 : 8)),
  )
  const told = Map.groupBy(await crossings(db), ({ alert_id: id }) => id)
  expect([told.get(all.id)?.length, told.get(some.id)?.length]).toEqual([500, 100])
  expect(new Set(told.get(all.id)!.map(({ subject }) => subject)).size).toBe(500)
})

test('after a crossing only the quantity of rearm_at arms the alert again', async ({ db }) => {
  await makeAlert(db, { kind: 'low_stock', below: 5, rearm_at: 8 })
  for (const quantity of [9, 4, 6, 3, 7, 2, 8, 4, 5, 4]) await stock(db, quantity)
  expect(await quantities(db)).toEqual([4, 4])
})

test('a hidden or deleted product does not cross, and a deleted one arms the alert again', async ({ db }) => {
  await makeAlert(db, { kind: 'low_stock', below: 5, rearm_at: 20 })
  await stock(db, 9)
  await stock(db, 3, { status: 'hidden' })
  await stock(db, 9)
  await stock(db, 3)
  await stock(db, 9)
  await stock(db, 4)
  expect(await quantities(db)).toEqual([3])
  await stock(db, undefined, { status: 'deleted' })
  await stock(db, 9)
  await stock(db, 1)
  expect(await quantities(db)).toEqual([3, 1])
})

test('a version that arrives after a newer one crosses nothing', async ({ db }) => {
  await makeAlert(db)
  const at = (hour: number, quantity: number) => product({ quantity, updated_at: `2026-04-01T0${hour}:00:00Z` })
  await upsert(db, [at(1, 9)])
  await upsert(db, [at(4, 8)])
  await upsert(db, [at(2, 3)])
  await upsert(db, [at(3, 1), at(1, 0)])
  expect(await crossings(db)).toEqual([])
})

test('of a batch only the newest version of a product counts', async ({ db }) => {
  await makeAlert(db)
  const at = (hour: number, quantity: number) => product({ quantity, updated_at: `2026-04-01T0${hour}:00:00Z` })
  await upsert(db, [at(1, 9)])
  await upsert(db, [at(2, 3), at(3, 7)])
  expect(await crossings(db)).toEqual([])
})

test('a repeated attempt of a call crosses nothing a second time', async ({ db }) => {
  await makeAlert(db)
  const at = (hour: number, quantity: number) => [product({ quantity, updated_at: `2026-04-01T0${hour}:00:00Z` })]
  await upsert(db, at(1, 9))
  const call = randomUUID()
  for (let attempt = 0; attempt < 3; attempt++) await upsert(db, at(2, 3), call)
  expect(await quantities(db)).toEqual([3])
})

test('a crossing that is rolled back was none', async ({ db }) => {
  await makeAlert(db)
  await stock(db, 9)
  const failing = db.transaction().execute(async (tx) => {
    await stock(tx, 3)
    throw new Error('rolled back')
  })
  await expect(failing).rejects.toThrow('rolled back')
  expect(await crossings(db)).toEqual([])
  await stock(db, 3)
  expect(await quantities(db)).toEqual([3])
})

test('an alert hears of the products that its filter keeps, by the version that crosses', async ({ db }) => {
  const alerts = {
    seller: await makeAlert(db, { filter: { seller_id: 's' } }),
    category: await makeAlert(db, { filter: { category: 'k' } }),
    product: await makeAlert(db, { filter: { product_id: 'a' } }),
    all: await makeAlert(db, { filter: { seller_id: 's', category: 'k', product_id: 'a' } }),
  }
  const fall = async (changes: Partial<Product>) => {
    await sql`truncate alert_crossing, alert_subject`.execute(db)
    await stock(db, 9, { ...changes, seller_id: 'before', category: 'before' })
    await stock(db, 3, changes)
    const told = new Set((await crossings(db)).map((crossing) => crossing.alert_id))
    return Object.entries(alerts).flatMap(([name, { id }]) => (told.has(id) ? [name] : []))
  }
  expect(await fall({ product_id: 'a', seller_id: 's', category: 'k' })).toEqual(['seller', 'category', 'product', 'all'])
  expect(await fall({ product_id: 'b', seller_id: 's', category: 'l' })).toEqual(['seller'])
  expect(await fall({ product_id: 'b', category: 'k' })).toEqual(['category'])
  expect(await fall({ product_id: 'a' })).toEqual(['product'])
  expect(await fall({ product_id: 'b' })).toEqual([])
})

test('an alert that is off notes nothing, and knows afterwards what happened', async ({ db }) => {
  const { id } = await makeAlert(db)
  const turn = (is_on: boolean) => changeAlert(db, { alert_id: id, is_on, actor: 'tests' })
  await stock(db, 9)
  await stock(db, 3)
  await turn(false)
  for (const quantity of [9, 2, 9]) await stock(db, quantity)
  await turn(true)
  await stock(db, 1)
  await turn(false)
  await stock(db, 9)
  await stock(db, 4)
  await turn(true)
  await stock(db, 0)
  expect(await quantities(db)).toEqual([3, 1])
  await deleteAlert(db, { alert_id: id, actor: 'tests' })
  await stock(db, 9)
  await stock(db, 3)
  expect(await quantities(db)).toEqual([3, 1])
})

const version = fc.record({
  product_id: fc.constantFrom('a', 'b', 'c'),
  name: fc.constantFrom('x', 'y'),
  seller_id: fc.option(fc.constantFrom('s', 't'), { nil: undefined }),
  category: fc.option(fc.constantFrom('k', 'l'), { nil: undefined }),
  quantity: fc.option(fc.constantFrom(-1, 2, 4, 5, 7, 9, 9), { nil: undefined, freq: 10 }),
  status: fc.oneof(
    { weight: 8, arbitrary: fc.constant('active') },
    { weight: 1, arbitrary: fc.constantFrom('hidden', 'deleted') },
  ),
  updated_at: fc.integer({ min: 0, max: 59 }).map((second) => `2026-03-01T12:00:${String(second).padStart(2, '0')}Z`),
}) as fc.Arbitrary<Product>

test(
  'concurrent clients: the crossings are those of the stored versions in their order, each once',
  { timeout: 120_000 },
  async ({ db }) => {
    await keepStoredVersions(db)
    const alerts = await Promise.all([
      makeAlert(db, { kind: 'low_stock', below: 5 }),
      makeAlert(db, { kind: 'low_stock', below: 5, rearm_at: 7, filter: { seller_id: 's' } }),
      makeAlert(db, { kind: 'low_stock', below: 7, rearm_at: 9, filter: { category: 'k' } }),
      makeAlert(db, { kind: 'low_stock', below: 3, filter: { product_id: 'a' } }),
    ])
    const clients = fc.array(fc.array(fc.array(version, { minLength: 1, maxLength: 4 }), { maxLength: 8 }), {
      minLength: 2,
      maxLength: 6,
    })
    let total = 0
    await fc.assert(
      fc.asyncProperty(clients, async (sent) => {
        await sql`truncate alert_crossing, alert_subject, stored_version`.execute(db)
        await sql`delete from catalog.product`.execute(db)
        await Promise.all(
          sent.map(async (batches) => {
            for (const batch of batches) {
              const call = randomUUID()
              await upsert(db, batch, call)
              await upsert(db, batch, call)
            }
          }),
        )
        const stored = await storedVersions(db)
        const told = await crossings(db)
        total += told.length
        for (const alert of alerts) {
          const ours = told.filter(({ alert_id: id }) => id === alert.id)
          expect(ours.map(textOfCrossing).toSorted()).toEqual(expectedCrossings(alert, stored).toSorted())
        }
      }),
      { numRuns: 60 },
    )
    // About 200 on average.
    expect(total).toBeGreaterThan(40)
  },
)
