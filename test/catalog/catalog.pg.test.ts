import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { sql } from 'kysely'
import { expect } from 'vitest'
import { judgeProducts } from '../../src/admission/product.ts'
import type { Product } from '../../src/contract/product.ts'
import { isStorable } from '../../src/contract/fields/text.ts'
import { callOf } from '../../src/store/log/call.ts'
import { catalogProduct, staleVersions, upsertProducts } from '../../src/store/catalog/catalog-product.ts'
import { connect, type Database } from '../../src/store/database/connection.ts'
import { popularityOf, popularityOrZeros, topByScore } from '../../src/store/popularity/top-list.ts'
import { verify } from '../../src/store/proof/verification.ts'
import type { TestDatabase } from '../harness/servers/database.ts'
import { interaction, record, recordAndCount } from '../harness/items/events.ts'
import { expectedCatalogue, product, storedCatalogue, textOf, upsert, versionOf } from '../harness/items/products.ts'
import { pgTest as test } from '../harness/fixtures.ts'

test.beforeEach(({ db }) =>
  sql`truncate catalog.product, interaction, interaction_batch, rejected_interaction, product_hour, product_popularity,
    shopper_product`.execute(db),
)

/** Few products and times, so that versions collide; texts that JSON escapes. */
const versionArbitrary: fc.Arbitrary<Product> = fc
  .record({
    product_id: fc.constantFrom('a', 'b', 'c', 'Ünï 🛒', "it's"),
    name: fc.constantFrom('x', 'X', 'é', '🛒', '"quoted"', 'back\\slash', 'line\n\u0001', '\u2028', '\uffff'),
    category: fc.option(fc.constantFrom('k', 'l'), { nil: undefined }),
    brand: fc.option(fc.constantFrom('m', '\u007f'), { nil: undefined }),
    quantity: fc.option(fc.constantFrom(0, 9, 10, -9, 2 ** 53 - 1, 1 - 2 ** 53), { nil: undefined }),
    cost: fc.option(fc.record({ price: fc.constantFrom(0, 5, 10), currency: fc.constantFrom('EUR', 'USD') }), { nil: {} }),
    status: fc.constantFrom('active', 'hidden', 'deleted'),
    updated_at: fc.constantFrom('2026-03-01T12:00:00.000Z', '2026-03-01T12:00:00.0009Z', '2026-03-01T14:00:00.001+02:00'),
  })
  .map(
    ({ cost, ...rest }) =>
      Object.fromEntries(Object.entries({ ...rest, ...cost }).filter(([, value]) => value !== undefined)) as Product,
  )

test("concurrent batches in any order, split and repetition leave each product's newest version", async ({ db }) => {
  const batches = fc.array(fc.array(versionArbitrary, { minLength: 1, maxLength: 12 }), { minLength: 1, maxLength: 6 })
  await fc.assert(
    fc.asyncProperty(batches, fc.array(fc.nat(), { maxLength: 3 }), async (sent, repeated) => {
      await sql`delete from catalog.product`.execute(db)
      const again = repeated.map((place) => sent[place % sent.length]!.toReversed())
      const answers = await Promise.all([...sent, ...again].map((batch) => upsert(db, batch)))
      const all = sent.flat()
      expect(await storedCatalogue(db)).toEqual(expectedCatalogue(all))
      // One of the batches stored each product's newest version.
      expect(answers.flat().length).toBeGreaterThanOrEqual(new Set(all.map((version) => version.product_id)).size)
      for (const batch of sent) expect(await upsert(db, batch)).toEqual([])
    }),
    { numRuns: 40 },
  )
})

test("a batch's newest version of each product is accepted; its other versions are duplicates", async ({ db }) => {
  const [old, middle, late] = ['2026-03-01T12:00:00Z', '2026-03-02T12:00:00Z', '2026-03-03T12:00:00Z']
  const sent = [
    product({ product_id: 'a', updated_at: middle }),
    product({ product_id: 'b', updated_at: middle }),
    product({ product_id: 'a', updated_at: late }),
    product({ product_id: 'a', updated_at: late }),
  ]
  expect(await upsert(db, sent)).toEqual([1, 2])
  expect(
    await upsert(db, [product({ product_id: 'a', updated_at: old }), product({ product_id: 'b', updated_at: late })]),
  ).toEqual([1])
  expect(await upsert(db, sent)).toEqual([])
})

test('a version that differs from the kept one of the same time is stale, and the same or an older one is not', async ({
  db,
}) => {
  const [kept, lost] = [product({ name: 'b' }), product({ name: 'a' })]
  expect(await upsert(db, [lost, kept])).toEqual([1])
  const older = product({ name: 'c', updated_at: '2026-02-01T12:00:00Z' })
  const unchanged = [kept, lost, older, product({ product_id: 'unknown' }), { ...lost, brand: 'x' }]
  expect(await staleVersions(db, unchanged.map(versionOf))).toEqual([1, 4])
})

test('a version is stale, a duplicate or kept by its own content, in any order and split', async ({ db }) => {
  await fc.assert(
    fc.asyncProperty(fc.array(versionArbitrary, { minLength: 1, maxLength: 12 }), fc.nat({ max: 12 }), async (sent, cut) => {
      await sql`delete from catalog.product`.execute(db)
      await upsert(db, sent.slice(0, cut))
      await upsert(db, sent.slice(cut))
      const best = expectedCatalogue(sent)
      const timeIn = (text: string) => (JSON.parse(text) as Product).updated_at
      const stale = sent.flatMap((version, index) => {
        const kept = best[version.product_id]!
        return textOf(version) !== kept && timeIn(textOf(version)) === timeIn(kept) ? [index] : []
      })
      expect(await staleVersions(db, sent.map(versionOf))).toEqual(stale)
    }),
    { numRuns: 40 },
  )
})

test('of versions of the same time the larger JSON wins, and a field that it omits is removed', async ({ db }) => {
  const [small, large] = [product({ category: 'a', brand: 'x' }), product({ category: 'b' })]
  expect(await upsert(db, [small])).toEqual([0])
  expect(await upsert(db, [large])).toEqual([0])
  expect(await upsert(db, [small])).toEqual([])
  expect(await catalogProduct(db, 'p')).toEqual(large)
  expect(textOf(large) > textOf(small)).toBe(true)
})

test('a call that is repeated, later or concurrently, gives the same answer', async ({ db }) => {
  const sent = Array.from({ length: 50 }, (_, index) => product({ product_id: `p${index % 40}` }))
  const first = await upsert(db, sent, 'call')
  expect(first).toHaveLength(40)
  expect(await upsert(db, sent, 'call')).toEqual(first)
  const renamed = sent.map((one) => ({ ...one, name: 'Zebra' }))
  expect(await Promise.all([1, 2, 3].map(() => upsert(db, renamed, 'other')))).toEqual([first, first, first])
  expect(await upsert(db, renamed)).toEqual([])
})

test('batches with the same products in opposite orders do not deadlock', async ({ db }) => {
  const ids = Array.from({ length: 300 }, (_, index) => `p${index}`)
  const at = (second: number) => ids.map((product_id) => product({ product_id, updated_at: `2026-03-01T12:00:${10 + second}Z` }))
  const rounds = Array.from({ length: 20 }, (_, second) => (second % 2 === 0 ? at(second) : at(second).toReversed()))
  await Promise.all(rounds.map((batch) => upsert(db, batch)))
  const { rows } = await sql<{ n: number }>`select count(distinct updated_at)::int as n from catalog.product`.execute(db)
  expect(rows).toEqual([{ n: 1 }])
})

test('every product that the contract allows is stored as sent', async ({ db }) => {
  const storable = (maxLength: number) => fc.string({ unit: 'binary', minLength: 1, maxLength }).filter(isStorable)
  const longest = (count: number) => fc.constantFrom('🛒', '\uffff', '\u0001', ' ').map((character) => character.repeat(count))
  const id = fc.oneof(storable(20), longest(200))
  const whole = fc.oneof(fc.maxSafeNat(), fc.constant(2 ** 53 - 1), fc.constant(0))
  const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined })
  const anything = fc.record({
    product_id: id,
    seller_id: optional(id),
    name: fc.oneof(storable(50), longest(1_000)),
    category: optional(id),
    brand: optional(id),
    quantity: optional(fc.oneof(fc.maxSafeInteger(), whole, fc.constant(1 - 2 ** 53))),
    cost: fc.option(fc.record({ price: whole, currency: fc.constantFrom(...Intl.supportedValuesOf('currency')) }), { nil: {} }),
    status: fc.constantFrom('active', 'hidden', 'deleted'),
    updated_at: fc
      .date({ min: new Date(0), max: new Date('2100-01-01T00:00:00Z'), noInvalidDate: true })
      .map((date) => date.toISOString()),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(anything, { minLength: 1, maxLength: 20 }), async (items) => {
      const sent = items.map(({ cost, ...rest }) => JSON.parse(JSON.stringify({ ...rest, ...cost })) as Product)
      const { rows: versions, rejections } = judgeProducts(sent, Date.parse('2100-01-01T00:00:00Z'))
      expect(rejections.map(({ field }) => field)).toEqual(rejections.map(() => 'product_id'))
      await sql`delete from catalog.product`.execute(db)
      await upsertProducts(db, callOf(randomUUID(), Buffer.from('')), versions)
      const taken = versions.map(({ index }) => sent[index]!)
      expect(await storedCatalogue(db)).toEqual(expectedCatalogue(taken))
      const [one] = taken
      if (one !== undefined)
        expect(textOf((await catalogProduct(db, one.product_id))!)).toBe(expectedCatalogue(taken)[one.product_id])
    }),
    { numRuns: 25 },
  )
})

test('an event keeps the category and brand that the catalogue had when it was recorded', async ({ db }) => {
  await recordAndCount(db, [interaction({ refId: 'lamp' })])
  await upsert(db, [product({ product_id: 'lamp', category: 'lighting', brand: 'Lumen' }), product({ product_id: 'desk' })])
  const view = interaction({ refId: 'lamp' })
  await recordAndCount(db, [view, interaction({ refId: 'lamp', refType: 'Category' }), interaction({ refId: 'desk' })])
  await upsert(db, [product({ product_id: 'lamp', category: 'garden', status: 'deleted', updated_at: '2026-03-02T12:00:00Z' })])
  await recordAndCount(db, [interaction({ refId: 'lamp' }), view])
  const { rows } = await sql`
    select ref_id, is_category, category, brand from interaction order by batch_id, ref_id, is_category`.execute(db)
  expect(rows).toEqual([
    { ref_id: 'lamp', is_category: false, category: null, brand: null },
    { ref_id: 'desk', is_category: false, category: null, brand: null },
    { ref_id: 'lamp', is_category: false, category: 'lighting', brand: 'Lumen' },
    { ref_id: 'lamp', is_category: true, category: null, brand: null },
    { ref_id: 'lamp', is_category: false, category: 'garden', brand: null },
  ])
  expect((await verify(db)).drift).toEqual([])
})

/** The catalogue rows that `work` read, from the table or an index, and its index scans. */
async function readsOfCatalogue(
  database: TestDatabase,
  work: (db: Database) => Promise<unknown>,
): Promise<{ rows: number; probes: number }> {
  // A single connection, because each connection reports its own reads.
  const db = connect({ url: database.url, name: 'test', connectionsMax: 1 })
  const reads = async () => {
    await sql`select pg_stat_force_next_flush()`.execute(db)
    const { rows } = await sql<{ rows: number; probes: number }>`
      select (t.seq_tup_read + sum(i.idx_tup_read))::int as rows, sum(i.idx_scan)::int as probes
      from pg_stat_user_tables t join pg_stat_user_indexes i using (relid)
      where t.schemaname = 'catalog' group by t.relid, t.seq_tup_read`.execute(db)
    return rows[0]!
  }
  const before = await reads()
  await work(db)
  const after = await reads()
  await db.destroy()
  return { rows: after.rows - before.rows, probes: after.probes - before.probes }
}

const fillCatalogue = (db: Database, count: number) =>
  sql`insert into catalog.product (product_id, name, category, status, updated_at, call_id)
    select 'p' || n, 'name', 'c', case when n % 10 = 0 then 'hidden' else 'active' end, '2026-03-01', gen_random_uuid()
    from generate_series(1, ${count}::int) n`.execute(db)

test.for(['before', 'after'])(
  'recording does not read the whole catalogue, %s PostgreSQL knows its size',
  async (when, { db, database }) => {
    await fillCatalogue(db, 20_000)
    if (when === 'after') await sql`analyze catalog.product`.execute(db)
    const events = Array.from({ length: 1_000 }, (_, index) => interaction({ refId: `p${index}` }))
    const reads = await readsOfCatalogue(database, (db) => record(db, events))
    expect(reads.rows).toBeLessThanOrEqual(1_000)
    expect(reads.probes).toBeLessThanOrEqual(1_001)
    const { rows } = await sql<{ n: number }>`select count(*)::int as n from interaction where category = 'c'`.execute(db)
    expect(rows).toEqual([{ n: 999 }])
  },
)

test('recording does not query an empty catalogue for each event', async ({ database }) => {
  const events = Array.from({ length: 1_000 }, (_, index) => interaction({ refId: `p${index}` }))
  expect(await readsOfCatalogue(database, (db) => record(db, events))).toEqual({ rows: 0, probes: 0 })
})

test('hidden and deleted products leave the list immediately, and return with their numbers', async ({ db }) => {
  const purchases = ['lamp', 'desk', 'chair'].flatMap((refId, place) =>
    Array.from({ length: 3 - place }, () => interaction({ refId, eventType: 'purchase' })),
  )
  await recordAndCount(db, purchases)
  const ids = async (limit = 10) => (await topByScore(db, { limit, after: undefined })).data.map((one) => one.product_id)
  expect(await ids()).toEqual(['lamp', 'desk', 'chair'])
  const status = (product_id: string, status: Product['status'], day: number) =>
    upsert(db, [product({ product_id, status, updated_at: `2026-03-0${day}T12:00:00Z` })])
  await status('lamp', 'hidden', 1)
  await status('desk', 'active', 1)
  expect(await ids()).toEqual(['desk', 'chair'])
  await status('desk', 'deleted', 2)
  expect(await ids(1)).toEqual(['chair'])
  expect(await popularityOf(db, 'lamp')).toMatchObject({ purchase_count: 3 })
  await recordAndCount(db, [interaction({ refId: 'lamp', eventType: 'purchase' })])
  await status('lamp', 'active', 3)
  await status('desk', 'active', 3)
  expect(await ids()).toEqual(['lamp', 'desk', 'chair'])
  expect(await popularityOf(db, 'lamp')).toMatchObject({ purchase_count: 4 })
})

test('a page reads the catalogue once per product of the page, however many are hidden', async ({ db, database }) => {
  await fillCatalogue(db, 5_000)
  await sql`
    insert into product_popularity (product_id, score_micros, trending, view_count, purchase_count, favorite_count, cart_count,
      review_count, search_click_count, last_interaction, date_updated)
    select 'p' || n, 1000000 - n, 0, 1, 0, 0, 0, 0, 0, now(), now() from generate_series(1, 5000) n`.execute(db)
  const readTop = async (one: Database) => {
    const { data } = await topByScore(one, { limit: 100, after: undefined })
    expect(data.map((row) => row.product_id).filter((id) => /0$/.test(id))).toEqual([])
    expect(data).toHaveLength(100)
  }
  for (const prepare of [sql`select 1`, sql`analyze catalog.product, product_popularity`]) {
    await prepare.execute(db)
    const reads = await readsOfCatalogue(database, readTop)
    expect(reads.rows).toBeLessThan(20)
    expect(reads.probes).toBeLessThan(150)
  }
})

test('a product of the catalog without events has zeros, and a product that nothing names is unknown', async ({ db }) => {
  await upsert(db, [product({ product_id: 'new' }), product({ product_id: 'gone', status: 'deleted' })])
  await recordAndCount(db, [interaction({ refId: 'seen' })])
  const counted = await popularityOrZeros(db, 'seen')
  // The trending score fades between two reads.
  expect(counted).toMatchObject({ ...(await popularityOf(db, 'seen')), trending_score: expect.closeTo(0.3) })
  for (const id of ['new', 'gone']) {
    const zeros = Object.fromEntries(
      Object.entries(counted!).map(([name, value]) => [name, typeof value === 'number' ? 0 : null]),
    )
    expect(await popularityOrZeros(db, id)).toEqual({ ...zeros, product_id: id })
  }
  expect(await popularityOrZeros(db, 'unknown')).toBeUndefined()
})
