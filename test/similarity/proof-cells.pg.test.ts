import { sql } from 'kysely'
import { expect } from 'vitest'
import type { Drift } from '../../src/contract/verify.ts'
import type { Database } from '../../src/store/database/connection.ts'
import { verify } from '../../src/store/proof/verification.ts'
import { pgTest } from '../harness/fixtures.ts'
import { makeInForce, recordShop } from '../harness/items/similar-shop.ts'

const CHANGED = ['similarity_version', 'similarity_product', 'similarity_row']

/** One version in force, which every test changes. */
const test = pgTest.extend('version', { scope: 'file' }, async ({ db }) => {
  await recordShop(db)
  const version = await makeInForce(db)
  for (const table of CHANGED) await sql`create table ${sql.table(`kept_${table}`)} as table ${sql.table(table)}`.execute(db)
  return version
})

/** The version is as it was made. */
test.beforeEach(async ({ db, version }) => {
  for (const table of CHANGED.toReversed()) await sql`delete from ${sql.table(table)} where version = ${version}`.execute(db)
  for (const table of CHANGED)
    await sql`insert into ${sql.table(table)} overriding system value table ${sql.table(`kept_${table}`)}`.execute(db)
})

async function driftOf(proofs: Database): Promise<Drift[]> {
  return (await verify(proofs)).drift
}

test('the version has no drift before it is changed', async ({ proofs }) => {
  expect(await driftOf(proofs)).toEqual([])
})

/** Changes of a list: of its first value, of its length, and of the order. */
const CHANGES: Record<string, (column: ReturnType<typeof sql.ref>) => ReturnType<typeof sql>> = {
  'another first value': (column) => sql`(${column}[1] + 1) || ${column}[2:]`,
  'a value more': (column) => sql`${column} || ${column}[1] + 40`,
  'a value less': (column) => sql`${column}[2:]`,
}

test.for(
  ['neighbour', 'score', 'count', 'back_score', 'back_count', 'content', 'cosine', 'bought', 'bought_count'].flatMap((column) =>
    Object.keys(CHANGES).map((change) => [column, change] as const),
  ),
)('verify finds %s with %s', async ([column, change], { db, proofs }) => {
  const cell = sql.ref(column)
  const { rows } = await sql<{ productNo: string }>`
    update similarity_row set ${cell} = ${CHANGES[change]!(cell)} where product_no in (
      select product_no from similarity_row join similarity_product using (version, product_no)
      where events > 0 and cardinality(${cell}) > 1)
    returning product_no::text as "productNo"`.execute(db)
  expect(rows.length).toBeGreaterThan(0)
  const drift = await driftOf(proofs)
  expect(drift.length).toBeGreaterThan(0)
  expect(drift.map((found) => found.column)).toContain(column)
})

test.for(['events', 'baskets'])('verify names a changed number of %s of a product', async (column, { db, proofs, version }) => {
  const cell = sql.ref(column)
  await sql`update similarity_product set ${cell} = ${cell} + 1 where product_id = 'p1'`.execute(db)
  const { rows } = await sql<{ no: number }>`select product_no as no from similarity_product where product_id = 'p1'`.execute(db)
  expect(await driftOf(proofs)).toMatchObject([
    { aggregate: 'similarity_product', key: { version: String(version), product_no: String(rows[0]!.no) }, column },
  ])
})

test.for(['product_id', 'category', 'brand'])('verify finds a changed %s of any product', async (column, { db, proofs }) => {
  const cell = sql.ref(column)
  const { rows } = await sql<{ no: number }>`select product_no as no from similarity_product order by md5(product_id)`.execute(db)
  for (const { no } of rows.slice(0, 5)) {
    const before = await sql<{
      value: string
    }>`select ${cell} as value from similarity_product where product_no = ${no}`.execute(db)
    await sql`update similarity_product set ${cell} = ${cell} || ' changed' where product_no = ${no}`.execute(db)
    expect(await driftOf(proofs)).toContainEqual(
      expect.objectContaining({ aggregate: 'similarity_version', column: 'catalog_sha256' }),
    )
    await sql`update similarity_product set ${cell} = ${before.rows[0]!.value} where product_no = ${no}`.execute(db)
  }
  expect(await driftOf(proofs)).toEqual([])
})

test.for([
  ['content_weight', sql`update similarity_version set content_weight = content_weight * 1.000001`],
  ['content_weight', sql`update similarity_row set score[1] = score[1] * 2 where cardinality(score) > 0`],
] as const)('verify finds a changed %s', async ([column, change], { db, proofs, version }) => {
  await change.execute(db)
  expect(await driftOf(proofs)).toContainEqual({
    ...{ aggregate: 'similarity_version', key: { version: String(version) }, column },
    ...{ stored: expect.any(String) as string, expected: expect.any(String) as string },
  })
})

test('verify finds a missing row', async ({ db, proofs }) => {
  await sql`delete from similarity_row`.execute(db)
  expect((await driftOf(proofs))[0]).toMatchObject({ aggregate: 'similarity_row', column: '*', stored: null, expected: 'a row' })
})
