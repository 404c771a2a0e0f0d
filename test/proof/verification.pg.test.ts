import { sql } from 'kysely'
import { expect } from 'vitest'
import { countBatch } from '../../src/store/popularity/counting.ts'
import { verify } from '../../src/store/proof/verification.ts'
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
  ])
  await countBatch(db, await recordNewSearches(db, [search({ productIds: ['lamp', 'only shown'] })]))
  // Only recorded, so no aggregate may expect it.
  await record(db, [interaction({ refId: 'lamp' }), interaction({ refId: 'never counted' })])
  await recordNewSearches(db, [search({ productIds: ['lamp', 'never counted'] })])
})

test('untouched aggregates have no drift', async ({ db }) => {
  expect(await verify(db)).toEqual({ drift: [], events: 10, analytics_events: 0, horizon: '2000-01-01T00:00:00.000Z' })
})

const KEYS: Record<string, string[]> = {
  product_hour: ['product_id', 'hour', 'event_type'],
  product_popularity: ['product_id'],
  shopper_product: ['shopper_id', 'product_id', 'event_type'],
}

test.for(Object.keys(KEYS))('changing any cell of %s makes verify name that cell alone', async (table, { db }) => {
  const columns = await sql<{ name: string; type: string }>`
    select attname as name, format_type(atttypid, null) as type from pg_attribute
    where attrelid = ${table}::regclass and attnum > 0 and not attisdropped`.execute(db)
  const rows = await sql<{ ctid: string; key: object }>`
    select ctid::text, json_build_object(${sql.join(KEYS[table]!.flatMap((key) => [sql.lit(key), sql`${sql.ref(key)}::text`]))}) as key
    from ${sql.table(table)}`.execute(db)
  expect(rows.rows.length).toBeGreaterThan(1)
  const cells = rows.rows.flatMap((row) =>
    columns.rows.filter(({ name }) => !KEYS[table]!.includes(name)).map((column) => ({ row, column })),
  )
  for (const { row, column } of cells) {
    const where = sql.join(
      Object.entries(row.key).map(([key, value]) => sql`${sql.ref(key)}::text = ${value}`),
      sql` and `,
    )
    const cell = sql.ref(column.name)
    const change = column.type.startsWith('timestamp') ? sql`${cell} + interval '1 millisecond'` : sql`${cell} + 1`
    const before = await sql<{ value: string }>`select ${cell}::text as value from ${sql.table(table)} where ${where}`.execute(db)
    await sql`update ${sql.table(table)} set ${cell} = ${change} where ${where}`.execute(db)
    const { drift } = await verify(db)
    expect(drift).toMatchObject([{ aggregate: table, key: row.key, column: column.name, expected: before.rows[0]!.value }])
    await sql`update ${sql.table(table)} set ${cell} = ${before.rows[0]!.value}::text::${sql.raw(column.type)} where ${where}`.execute(
      db,
    )
  }
  expect((await verify(db)).drift).toEqual([])
})

test.for(Object.keys(KEYS))('verify names a missing and a surplus row of %s', async (table, { db }) => {
  const key = KEYS[table]!.at(-1)!
  const stored = await sql<{
    value: string
  }>`select ${sql.ref(key)} as value from ${sql.table(table)} order by 1 limit 1`.execute(db)
  const value = stored.rows[0]!.value
  await sql`update ${sql.table(table)} set ${sql.ref(key)} = 'stray' where ctid = (select ctid from ${sql.table(table)} where ${sql.ref(key)} = ${value} limit 1)`.execute(
    db,
  )
  const { drift } = await verify(db)
  expect(drift).toHaveLength(2)
  expect(drift).toContainEqual({
    aggregate: table,
    key: expect.objectContaining({ [key]: 'stray' }),
    column: '*',
    stored: 'a row',
    expected: null,
  })
  expect(drift).toContainEqual({
    aggregate: table,
    key: expect.objectContaining({ [key]: value }),
    column: '*',
    stored: null,
    expected: 'a row',
  })
  await sql`update ${sql.table(table)} set ${sql.ref(key)} = ${value} where ${sql.ref(key)} = 'stray'`.execute(db)
  expect((await verify(db)).drift).toEqual([])
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
