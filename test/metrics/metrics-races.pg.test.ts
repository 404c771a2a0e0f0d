import fc from 'fast-check'
import { sql } from 'kysely'
import { expect } from 'vitest'
import type { Product } from '../../src/contract/product.ts'
import { foldDeltas } from '../../src/store/metrics/fold.ts'
import { rebuildMetrics } from '../../src/store/metrics/rebuild.ts'
import { PRODUCT_METRIC } from '../../src/store/proof/product-metric-drift.ts'
import { clearCatalog, expectedMetrics, foldAll, storedMetrics } from '../harness/items/product-metrics.ts'
import { expectedCatalogue, product, storedCatalogue, upsert } from '../harness/items/products.ts'
import { pgTest as test } from '../harness/fixtures.ts'

test.beforeEach(({ db }) => clearCatalog(db))

const SECONDS = ['2026-03-01T12:00:00.000Z', '2026-03-01T12:00:00.001Z', '2026-03-01T12:00:01.000Z']

/** Few products, keys and times, so that versions collide and products move between sellers, categories and currencies. */
const versionArbitrary: fc.Arbitrary<Product> = fc
  .record({
    product_id: fc.constantFrom('a', 'b', 'c', 'd'),
    seller_id: fc.option(fc.constantFrom('north', 'south', 'Ünï 🛒'), { nil: undefined }),
    name: fc.constantFrom('x', 'y'),
    category: fc.option(fc.constantFrom('lighting', 'seats'), { nil: undefined }),
    quantity: fc.option(fc.constantFrom(0, 9, 10, -9, 2 ** 53 - 1), { nil: undefined }),
    cost: fc.option(fc.record({ price: fc.constantFrom(0, 5, 2 ** 53 - 1), currency: fc.constantFrom('EUR', 'USD') }), {
      nil: {},
    }),
    status: fc.constantFrom('active', 'hidden', 'deleted'),
    updated_at: fc.constantFrom(...SECONDS),
  })
  .map(
    ({ cost, ...rest }) =>
      Object.fromEntries(Object.entries({ ...rest, ...cost }).filter(([, value]) => value !== undefined)) as Product,
  )

test('concurrent batches in any order, split and repetition, with folds and rebuilds in between, give the metrics of the reference', async ({
  db,
}) => {
  const batches = fc.array(fc.array(versionArbitrary, { minLength: 1, maxLength: 12 }), { minLength: 1, maxLength: 6 })
  await fc.assert(
    fc.asyncProperty(batches, fc.array(fc.nat(), { maxLength: 3 }), async (sent, repeated) => {
      await clearCatalog(db)
      const again = repeated.map((place) => sent[place % sent.length]!.toReversed())
      const folds = [1, 2, 3].map(() => foldDeltas(db))
      const reads = [1, 2, 3].map(() => PRODUCT_METRIC.prove(db, {} as never))
      const rebuilds = [1, 2].map(() => rebuildMetrics(db, 'test'))
      await Promise.all([...[...sent, ...again].map((batch) => upsert(db, batch)), ...folds, ...reads, ...rebuilds])
      for (const { drift } of await Promise.all(reads)) expect(drift).toEqual([])
      for (const rebuilt of await Promise.all(rebuilds)) expect(rebuilt.cells).toBe(0)
      const expected = expectedCatalogue(sent.flat())
      expect(await storedCatalogue(db)).toEqual(expected)
      const metrics = expectedMetrics(Object.values(expected).map((text) => JSON.parse(text) as Product))
      expect(await storedMetrics(db)).toEqual(metrics)
      await foldAll(db)
      expect(await storedMetrics(db)).toEqual(metrics)
      expect((await PRODUCT_METRIC.prove(db, {} as never)).drift).toEqual([])
    }),
    { numRuns: 40 },
  )
})

const lamp = (changes: Partial<Product> = {}) =>
  product({ product_id: 'lamp', seller_id: 'north', category: 'lighting', price: 500, currency: 'EUR', quantity: 3, ...changes })

test('a fold skips deltas that another one has taken, and a fold that dies loses none', async ({ db }) => {
  await upsert(db, [lamp()])
  const before = await storedMetrics(db)
  const dying = db.transaction().execute(async (tx) => {
    expect(await foldDeltas(tx)).toBe(3)
    expect(await foldDeltas(db)).toBe(0)
    await upsert(db, [lamp({ product_id: 'desk' })])
    throw new Error('died')
  })
  await expect(dying).rejects.toThrow('died')
  await sql`delete from catalog.product where product_id = 'desk'`.execute(db)
  expect(await storedMetrics(db)).toEqual(before)
  await foldAll(db)
  expect(await storedMetrics(db)).toEqual(before)
})

test('two rebuilds, folds and writers at the same time correct what differs once', async ({ db }) => {
  const many = Array.from({ length: 20 }, (_, n) => lamp({ product_id: `p${n}`, seller_id: `s${n % 3}` }))
  for (let round = 0; round < 5; round++) {
    await clearCatalog(db)
    await upsert(db, many)
    await foldAll(db)
    await sql`update product_metric set total = total + 5, value = value - 7 where key like 'SELLER#%'`.execute(db)
    const changed = many.map((one, n) => ({ ...one, seller_id: `s${n % 4}`, quantity: n, updated_at: SECONDS[1]! }))
    const rebuilds = [1, 2].map(() => rebuildMetrics(db, 'test'))
    const folds = [1, 2, 3].map(() => foldDeltas(db))
    await Promise.all([...rebuilds, ...folds, upsert(db, changed.slice(0, 10)), upsert(db, changed.slice(10))])
    const cells = (await Promise.all(rebuilds)).map((rebuilt) => rebuilt.cells)
    expect(cells.toSorted((a, b) => a - b)).toEqual([0, 6])
    expect((await PRODUCT_METRIC.prove(db, {} as never)).drift).toEqual([])
    await foldAll(db)
    expect(await storedMetrics(db)).toEqual(expectedMetrics(changed))
  }
})
