import fc from 'fast-check'
import { sql } from 'kysely'
import { expect } from 'vitest'
import { type FoundProduct, SCORED_MAX, SearchProductsRequest } from '../../src/contract/product-search.ts'
import type { Product } from '../../src/contract/product.ts'
import { createProductSearch } from '../../src/store/catalog/product-search.ts'
import { fillSearch } from '../../src/store/catalog/search-fill.ts'
import type { Database } from '../../src/store/database/connection.ts'
import { verify } from '../../src/store/proof/verification.ts'
import { freshPgTest as test } from '../harness/fixtures.ts'
import { interaction, recordAndCount } from '../harness/items/events.ts'
import { product, upsert } from '../harness/items/products.ts'
import { clear } from '../harness/servers/database.ts'

type Asked = Partial<SearchProductsRequest>

const search = async (db: Database, asked: Asked) => {
  const request = SearchProductsRequest.parse(asked)
  const { quick, whole } = createProductSearch()
  return (await quick(db, request)) ?? whole(db, request)
}

/** All pages. */
async function wholeList(db: Database, asked: Asked) {
  const products: FoundProduct[] = []
  const orders = new Set<string>()
  for (let cursor: string | undefined; ;) {
    const { data, meta } = await search(db, { ...asked, cursor })
    products.push(...data)
    orders.add(meta.order)
    if (meta.next_cursor === null) return { ids: products.map(({ product_id }) => product_id), products, orders: [...orders] }
    expect(data).toHaveLength(asked.limit ?? 20)
    cursor = meta.next_cursor
  }
}

const idsOf = async (db: Database, asked: Asked) => (await wholeList(db, asked)).ids

/** As by hand: every word begins a word of the name, or the id begins with the query. */
function isExpected({ product_id: id, name, ...of }: Product, { query, seen, ...filters }: Asked, seenIds: ReadonlySet<string>) {
  const wordsOf = (text: string) =>
    text
      .toLowerCase()
      .split(/[^a-zü]+/)
      .filter((word) => word !== '')
  const named = wordsOf(name)
  const asked = query === undefined ? [] : wordsOf(query)
  const isWorded = asked.length > 0 && asked.every((word) => named.some((one) => one.startsWith(word)))
  const isMatch = query === undefined || isWorded || id.startsWith(query)
  const isOfFilters = (['category', 'brand', 'seller_id', 'status'] as const).every(
    (field) => filters[field] === undefined || filters[field] === of[field],
  )
  return isMatch && isOfFilters && (seen === undefined || seen === seenIds.has(id))
}

const WORDS = ['Blue', 'blush', 'SHIRT', 'shirts', 'Lamp', 'über', "o'", '"', '\\', '&', ':*', '!', '(']
const KINDS = ['lamps', "k'", '\\', 'Ü b', '\u0001tactive']
const kind = fc.constantFrom(undefined, ...KINDS)
const name = fc.array(fc.constantFrom(...WORDS), { minLength: 1, maxLength: 4 }).map((words) => words.join(' '))
const status = fc.constantFrom('active' as const, 'hidden' as const, 'deleted' as const)
const productArbitrary: fc.Arbitrary<Product> = fc
  .record({
    id: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'blue-1', 'Blue', 'über', "o'", '%', '_'),
    name,
    status,
    kinds: fc.tuple(kind, kind, kind),
  })
  .map(({ id, kinds: [category, brand, seller_id], ...rest }) => product({ product_id: id, category, brand, seller_id, ...rest }))
const askedArbitrary: fc.Arbitrary<Asked> = fc.record(
  {
    query: fc.oneof(
      fc
        .array(fc.constantFrom('b', 'blu', 'shi', 'SHIRT', 'über', 'x', "o'", '%', '_', "'", ':*', '\\'), {
          minLength: 1,
          maxLength: 3,
        })
        .map((words) => words.join(' ')),
      fc.constantFrom('a', 'blue-', 'Blue'),
    ),
    category: fc.constantFrom(...KINDS),
    brand: fc.constantFrom(...KINDS),
    seller_id: fc.constantFrom(...KINDS),
    status,
    seen: fc.boolean(),
  },
  { requiredKeys: [] },
)

test(
  'a search finds what is expected, on pages of any length, with the best score first',
  { timeout: 120_000 },
  async ({ db }) => {
    const scenario = fc.record({
      products: fc.uniqueArray(productArbitrary, { selector: ({ product_id: id }) => id, maxLength: 10 }),
      seen: fc.array(fc.constantFrom('a', 'b', 'c', 'd', 'e'), { maxLength: 8 }),
      asked: fc.array(askedArbitrary, { minLength: 10, maxLength: 10 }),
      limit: fc.integer({ min: 1, max: 4 }),
    })
    await fc.assert(
      fc.asyncProperty(scenario, async ({ products, seen, asked, limit }) => {
        await clear(db)
        await sql`delete from catalog.product`.execute(db)
        if (products.length > 0) await upsert(db, products)
        if (seen.length > 0)
          await recordAndCount(
            db,
            seen.map((refId) => interaction({ refId, eventType: 'purchase' })),
          )
        const count = (id: string) => seen.filter((one) => one === id).length
        for (const one of asked) {
          const { ids, products: found, orders } = await wholeList(db, { ...one, limit })
          const expected = products.filter((each) => isExpected(each, one, new Set(seen))).map(({ product_id: id }) => id)
          expect(ids).toEqual(expected.sort((a, b) => count(b) - count(a) || Buffer.compare(Buffer.from(a), Buffer.from(b))))
          expect(orders).toEqual(['score'])
          expect(found.map(({ interactions }) => interactions?.events ?? 0)).toEqual(ids.map(count))
        }
        expect((await verify(db)).drift).toEqual([])
      }),
      { numRuns: 25 },
    )
  },
)

test('a product is found by its newest version, and the row changes only with its name and kind', async ({ db }) => {
  const version = (minute: number, changes: Partial<Product>) =>
    product({ updated_at: `2026-03-01T12:0${minute}:00Z`, ...changes })
  const rowOf = async () => (await sql<{ row: string }>`select ctid::text as row from catalog.product_search`.execute(db)).rows
  await upsert(db, [version(0, { name: 'Blue shirt', category: 'shirts' })])
  const before = await rowOf()
  await upsert(db, [version(1, { name: 'Blue shirt', category: 'shirts', price: 5, currency: 'EUR', quantity: 2 })])
  expect(await rowOf()).toEqual(before)
  expect(await idsOf(db, { query: 'blu shi' })).toEqual(['p'])
  await upsert(db, [version(2, { name: 'Red shirt', category: 'sale', status: 'hidden' })])
  expect(await idsOf(db, { query: 'blu shi' })).toEqual([])
  expect(await idsOf(db, { query: 'shirt red', category: 'sale', status: 'hidden' })).toEqual(['p'])
  expect((await verify(db)).drift).toEqual([])
  for (const remove of [sql`delete from catalog.product`, sql`truncate catalog.product`]) {
    await remove.execute(db)
    expect((await sql`select from catalog.product_search`.execute(db)).rows).toEqual([])
    await upsert(db, [version(3, {})])
  }
})

async function fillCatalog(db: Database, count: number): Promise<void> {
  await sql`
    insert into catalog.product (product_id, name, status, category, updated_at, call_id)
    select 'p' || lpad(n::text, 6, '0'), 'Blue thing ' || n, 'active', case when n % 1000 = 0 then 'rare' else 'c' end, now(), gen_random_uuid()
    from generate_series(1, ${count}::int) n`.execute(db)
}

test('more than 1,000 products are ordered by id on every page, each product once', async ({ db }) => {
  await fillCatalog(db, SCORED_MAX + 205)
  await recordAndCount(db, [interaction({ refId: 'p001200' })])
  for (const asked of [{}, { query: 'blu thi' }, { query: 'p' }, { status: 'active' as const }, { category: 'c' }]) {
    const { ids, orders } = await wholeList(db, { ...asked, limit: 100 })
    expect(orders).toEqual(['product_id'])
    expect(ids.length).toBe(SCORED_MAX + 205 - ('category' in asked ? 1 : 0))
    expect(ids).toEqual([...new Set(ids)].sort())
  }
  expect((await wholeList(db, { query: 'thing', seen: true })).ids).toEqual(['p001200'])
  expect((await wholeList(db, { query: 'thing 1200' })).orders).toEqual(['score'])
  expect(await idsOf(db, { category: 'rare' })).toEqual(['p001000'])
})

test('a page by score is refused when many more products match by then, because their order is another one', async ({ db }) => {
  await fillCatalog(db, 100)
  const first = await search(db, { query: 'blue thing', limit: 3 })
  expect(first.meta.order).toBe('score')
  await sql`
    insert into catalog.product (product_id, name, status, updated_at, call_id)
    select 'q' || n, 'Blue thing', 'active', now(), gen_random_uuid() from generate_series(1, ${2 * SCORED_MAX}) n`.execute(db)
  await expect(search(db, { query: 'blue thing', limit: 3, cursor: first.meta.next_cursor! })).rejects.toThrow(
    /^cursor: .*begin again/,
  )
})

test('more than 1,000 hidden products are ordered by id on every page, each product once', async ({ db }) => {
  await fillCatalog(db, SCORED_MAX + 205)
  await sql`update catalog.product set status = 'hidden' where product_id <> 'p000007'`.execute(db)
  for (const asked of [{}, { query: 'blu thi' }, { query: 'p' }]) {
    const { ids, orders } = await wholeList(db, { ...asked, status: 'hidden', limit: 100 })
    expect([orders, ids.length, ids.includes('p000007')]).toEqual([['product_id'], SCORED_MAX + 204, false])
    expect(ids).toEqual([...new Set(ids)].sort())
  }
})

test(
  'frequent words are found beside rare ones, and where they come late in the order of ids',
  { timeout: 120_000 },
  async ({ db }) => {
    await fillCatalog(db, 30_000)
    await sql`
    insert into catalog.product (product_id, name, status, updated_at, call_id)
    select 'a' || lpad(n::text, 6, '0'), 'Other', 'active', now(), gen_random_uuid() from generate_series(1, 25000) n`.execute(db)
    await sql`analyze catalog.product_search`.execute(db)
    // Both words are in 30,000 names, and the first page passes over more products than a quick search does.
    expect(await createProductSearch().quick(db, SearchProductsRequest.parse({ query: 'blue thing' }))).toBeUndefined()
    const first = await search(db, { query: 'blue thing', limit: 3 })
    expect(first.data.map(({ product_id: id }) => id)).toEqual(['p000001', 'p000002', 'p000003'])
    const second = await search(db, { query: 'blue thing', limit: 3, cursor: first.meta.next_cursor! })
    expect(second.data.map(({ product_id: id }) => id)).toEqual(['p000004', 'p000005', 'p000006'])
    expect((await wholeList(db, { query: 'blue thing 29999', limit: 5 })).ids).toEqual(['p029999'])
    const rare = await wholeList(db, { query: 'blue', category: 'rare', status: 'active', limit: 7 })
    expect([rare.ids.length, rare.orders]).toEqual([30, ['score']])
    expect((await wholeList(db, { query: 'thing', seen: true, limit: 5 })).ids).toEqual([])
  },
)

test('products that were there before are filled in pieces; ids are found meanwhile, and nothing is lost to writers', async ({
  db,
}) => {
  await sql`alter table catalog.product disable trigger product_search_insert`.execute(db)
  await fillCatalog(db, 3_000)
  await sql`alter table catalog.product enable trigger product_search_insert`.execute(db)
  await sql`update catalog.product_search_fill set is_complete = false, filled_to = ''`.execute(db)
  await upsert(db, [product({ product_id: 'new', name: 'Blue thing, new' })])
  const early = await search(db, { query: 'p000017' })
  expect(early).toMatchObject({ data: [{ product_id: 'p000017' }], meta: { search: 'filling' } })
  expect((await search(db, { query: 'p0' })).data).toHaveLength(20)
  expect(await idsOf(db, { query: 'blue' })).toEqual(['new'])
  expect((await verify(db)).drift).toEqual([])
  const changes = Array.from({ length: 40 }, (_, n) =>
    product({ product_id: `p${String(75 * n + 1).padStart(6, '0')}`, name: 'Green', updated_at: '2099-01-01T00:00:00Z' }),
  )
  await Promise.all([fillSearch(db), fillSearch(db), ...changes.map((change) => upsert(db, [change]))])
  while (await fillSearch(db));
  expect((await search(db, { query: 'green' })).meta.search).toBe('full_text')
  expect(await idsOf(db, { query: 'gre', limit: 100 })).toHaveLength(40)
  expect((await sql`select from catalog.product_search`.execute(db)).rows).toHaveLength(3_001)
  expect((await verify(db)).drift).toEqual([])
})
