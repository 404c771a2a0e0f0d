import { sql } from 'kysely'
import { expect } from 'vitest'
import { countBatch } from '../../src/store/popularity/counting.ts'
import { rollUpSome } from '../../src/store/popularity/roll-up.ts'
import type { Database } from '../../src/store/database/connection.ts'
import { foldIngest } from '../../src/store/log/ingest.ts'
import { recordPayments } from '../../src/store/payments/payment-recording.ts'
import { AGGREGATES } from '../../src/store/proof/aggregates.ts'
import { type Aggregate, compare, exact } from '../../src/store/proof/drift.ts'
import { recordImpressions } from '../../src/store/recommendations/impressions.ts'
import { PROOF_STEPS, type ProofProgress, verify } from '../../src/store/proof/verification.ts'
import { item, newCall, payment } from '../harness/items/payments.ts'
import { foldAll } from '../harness/items/product-metrics.ts'
import { product, upsert } from '../harness/items/products.ts'
import { impression } from '../harness/items/impressions.ts'
import { refreshAll } from '../harness/items/recomputed.ts'
import { interaction, record, recordAndCount, recordNewSearches, search } from '../harness/items/events.ts'
import { pgTest as test } from '../harness/fixtures.ts'

test.beforeAll(async ({ db }) => {
  const days = (n: number) => Date.now() - n * 86_400_000
  await recordAndCount(db, [
    interaction({ refId: 'lamp', eventType: 'purchase' }),
    interaction({ refId: 'lamp', eventType: 'view', occurredAtMs: days(1) }),
    interaction({ refId: 'lamp', eventType: 'view', occurredAtMs: days(30) }),
    interaction({ refId: 'desk', eventType: 'dislike', accountId: null, sessionId: 's' }),
    interaction({ refId: 'desk', eventType: 'unheard_of' }),
    interaction({ refId: 'desks', refType: 'Category' }),
    interaction({ refId: 'desk', eventType: 'rating_low', occurredAtMs: days(40) }),
    interaction({ refId: 'lamp', eventType: 'rating_high' }),
  ])
  await countBatch(db, await recordNewSearches(db, [search({ productIds: ['lamp', 'only shown'] })]))
  await rollUpSome(db, 14)
  await recordPayments(db, newCall(), [payment({ items: [item(), item({ sellerId: 'south', productId: 'desk' })] })], [])
  await refreshAll(db)
  await recordImpressions(db, [impression(), impression({ blend: 'weighted', product_ids: [] })])
  await upsert(db, [
    product({ product_id: 'lamp', seller_id: 'north', category: 'lighting', price: 5, currency: 'EUR', quantity: 3 }),
    product({ product_id: 'desk', seller_id: 'north', status: 'deleted' }),
  ])
  await foldAll(db)
  // Only recorded, so no aggregate may expect it.
  await record(db, [interaction({ refId: 'lamp' }), interaction({ refId: 'never counted' })])
  await recordNewSearches(db, [search({ productIds: ['lamp', 'never counted'] })])
  await foldIngest(db)
})

test('untouched aggregates have no drift', async ({ db }) => {
  const cells = expect.any(Number) as number
  expect(await verify(db)).toEqual({
    drift: [],
    drift_count: 0,
    cells,
    events: 14,
    analytics_events: 1,
    horizon: '2000-01-01T00:00:00.000Z',
  })
})

test('a comparison counts the cells of all rows of both sides, and those that differ', async ({ db }) => {
  const finding = await compare(db, {
    table: 't',
    key: ['id'],
    stored: sql`select * from (values (1, 1, 1), (2, 2, null), (3, 3, 3)) v(id, a, b)`,
    expected: sql`select * from (values (1, 1, 1), (2, 0, 2), (4, 4, 4)) v(id, a, b)`,
    cells: [exact('a'), exact('b')],
  })
  expect(finding).toMatchObject({ cells: 8, driftCount: 4 })
  expect(finding.drift.map(({ key, column }) => [key['id'], column])).toEqual([
    ['2', 'a'],
    ['2', 'b'],
    ['3', '*'],
    ['4', '*'],
  ])
})

test('verify says which part it compares, and how many are done', async ({ db }) => {
  const seen: ProofProgress[] = []
  await verify(db, { onProgress: (progress) => seen.push(progress) })
  const total = PROOF_STEPS.length
  expect(seen).toEqual([
    ...PROOF_STEPS.map((step, done) => ({ done, total, step })),
    { done: total, total, step: PROOF_STEPS.at(-1) },
  ])
})

/** Aggregates that comparisons prove cell by cell; what payments amount to has tests of its own. */
const COMPARED = AGGREGATES.flatMap(({ table, key, cells }) => (cells === undefined ? [] : [{ table, key, cells }]))

/** The rows of an aggregate, each with its key as `verify` names it. */
async function keysOf(db: Database, { table, key }: Pick<Aggregate, 'table' | 'key'>): Promise<Record<string, string>[]> {
  const pairs = key.flatMap((column) => [sql.lit(column), sql`coalesce(${sql.ref(column)}::text, '')`])
  const { rows } = await sql<{ key: Record<string, string> }>`
    select json_build_object(${sql.join(pairs)}) as key from ${sql.table(table)} order by 1::text`.execute(db)
  return rows.map((row) => row.key)
}

function hasKey(key: Record<string, string>) {
  const columns = Object.entries(key).map(([column, value]) => sql`coalesce(${sql.ref(column)}::text, '') = ${value}`)
  return sql.join(columns, sql` and `)
}

async function typesOf(db: Database, table: string): Promise<Map<string, string>> {
  const { rows } = await sql<{ name: string; type: string }>`
    select attname as name, format_type(atttypid, null) as type from pg_attribute
    where attrelid = ${table}::regclass and attnum > 0 and not attisdropped`.execute(db)
  return new Map(rows.map(({ name, type }) => [name, type]))
}

/** Another value of a cell of this type. */
function changeOf(type: string, cell: ReturnType<typeof sql.ref>) {
  if (type === 'text') return sql`coalesce(${cell}, '') || ' changed'`
  if (type === 'tsvector') return sql`${cell} || 'changed'::tsvector`
  return type.startsWith('timestamp') ? sql`${cell} + interval '1 millisecond'` : sql`${cell} + 1`
}

test.for(COMPARED)('changing any cell of $table makes verify name that cell alone', async (aggregate, { db, proofs }) => {
  const { table, cells } = aggregate
  const types = await typesOf(db, table)
  const keys = await keysOf(db, aggregate)
  expect(keys.length).toBeGreaterThan(1)
  for (const key of keys) {
    for (const column of cells) {
      const cell = sql.ref(column)
      const type = types.get(column)!
      const change = changeOf(type, cell)
      const before = await sql<{
        value: string | null
      }>`select ${cell}::text as value from ${sql.table(table)} where ${hasKey(key)}`.execute(db)
      const { value } = before.rows[0]!
      await sql`update ${sql.table(table)} set ${cell} = ${change} where ${hasKey(key)}`.execute(db)
      const { drift } = await verify(proofs)
      expect(drift).toMatchObject([{ aggregate: table, key, column }])
      if (type === 'double precision') expect(Number(drift[0]!.expected)).toBeCloseTo(Number(value), 9)
      else expect(drift[0]!.expected).toBe(value)
      await sql`update ${sql.table(table)} set ${cell} = ${value}::text::${sql.raw(type)} where ${hasKey(key)}`.execute(db)
    }
  }
  expect((await verify(proofs)).drift).toEqual([])
})

test.for(COMPARED)(
  'every column of $table is in its key, proved, or the id of its run',
  async ({ table, key, cells }, { db }) => {
    const columns = [...(await typesOf(db, table)).keys()].filter((column) => column !== 'run_id')
    expect(columns.toSorted()).toEqual([...key, ...cells].toSorted())
  },
)

test.for(COMPARED)('verify names a missing and a surplus row of $table', async (aggregate, { db, proofs }) => {
  const { table, key } = aggregate
  const types = await typesOf(db, table)
  const column = key.findLast((name) => types.get(name) === 'text')!
  const before = (await keysOf(db, aggregate))[0]!
  const value = before[column]!
  const stray = { ...before, [column]: 'stray' }
  await sql`update ${sql.table(table)} set ${sql.ref(column)} = 'stray' where ${hasKey(before)}`.execute(db)
  const { drift } = await verify(proofs)
  expect(drift).toHaveLength(2)
  expect(drift).toContainEqual({ aggregate: table, key: stray, column: '*', stored: 'a row', expected: null })
  expect(drift).toContainEqual({ aggregate: table, key: before, column: '*', stored: null, expected: 'a row' })
  await sql`update ${sql.table(table)} set ${sql.ref(column)} = ${value} where ${hasKey(stray)}`.execute(db)
  expect((await verify(proofs)).drift).toEqual([])
})

test('NaN and infinity are drift', async ({ db }) => {
  for (const value of ['NaN', 'Infinity']) {
    await sql`create table kept as select * from product_popularity`.execute(db)
    await sql`update product_popularity set trending = ${value}::float8 where product_id = 'lamp'`.execute(db)
    expect((await verify(db)).drift).toMatchObject([{ key: { product_id: 'lamp' }, column: 'trending', stored: value }])
    await sql`update product_popularity p set trending = kept.trending from kept where kept.product_id = p.product_id`.execute(db)
    await sql`drop table kept`.execute(db)
  }
})
