import { sql } from 'kysely'
import { expect, inject, test } from 'vitest'
import { connect, type Database } from '../../src/store/database/connection.ts'
import { migrate } from '../../src/store/database/migration.ts'
import { foldDeltas } from '../../src/store/metrics/fold.ts'
import { PRODUCT_METRIC } from '../../src/store/proof/product-metric-drift.ts'
import { createEmptyDatabase } from '../harness/servers/database.ts'
import { migrateUpTo, SQL } from '../harness/servers/migrate-up-to.ts'

const NEWEST_OF_BEFORE = '0030'
/** How the release before names the connections that write products. */
const OLDER = 'footfall endpoint, ledger rule 2'
const WRITERS = 3
const PRODUCTS = 40

/** Writes products as the release before, which knows no metrics. */
async function write(older: Database, n: number): Promise<void> {
  await sql`
    insert into catalog.product (product_id, name, seller_id, category, price, currency, quantity, status, updated_at, call_id)
    select 'p' || i, 'name', 's' || (i + ${n}::int) % 5, 'c' || (i * ${n}::int) % 3, i, 'EUR', (i + ${n}::int) % 20,
      case when (i + ${n}::int) % 7 = 0 then 'deleted' else 'active' end,
      timestamptz '2026-03-01' + ${n}::int * interval '1 s', gen_random_uuid()
    from generate_series(1, ${PRODUCTS}::int) i order by i
    on conflict (product_id) do update set seller_id = excluded.seller_id, category = excluded.category, price = excluded.price,
      quantity = excluded.quantity, status = excluded.status, updated_at = excluded.updated_at
    where product.updated_at < excluded.updated_at`.execute(older)
}

test('while the release before writes products, the migration fills the metrics, and they stay exact', async () => {
  const { db, url, drop } = await createEmptyDatabase(inject('postgresUrl'))
  await migrateUpTo(db, NEWEST_OF_BEFORE)
  const older = connect({ url, name: OLDER })
  await write(older, 0)
  let written = 0
  let isOver = false
  const writers = Array.from({ length: WRITERS }, async () => {
    while (!isOver) await write(older, ++written)
  })
  const migrated = migrate(db, SQL)
  expect(await migrated).toContain('0031_product_metrics.sql')
  const before = written
  for (let looks = 0; written < before + 10; looks++) {
    await foldDeltas(db)
    expect((await PRODUCT_METRIC.prove(db, {} as never)).drift, `at look ${looks}`).toEqual([])
  }
  isOver = true
  await Promise.all(writers)
  expect((await PRODUCT_METRIC.prove(db, {} as never)).drift).toEqual([])
  await older.destroy()
  await drop()
})
