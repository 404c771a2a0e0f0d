import { sql } from 'kysely'
import { expect } from 'vitest'
import { metricsCommand } from '../../src/cli/commands/metrics.ts'
import { postgresHistory } from '../../src/store/metrics/postgres-history.ts'
import { foldAndRecord } from '../harness/items/product-metrics.ts'
import { runCommand } from '../harness/programs/command.ts'
import { product, upsert } from '../harness/items/products.ts'
import { freshPgTest as test } from '../harness/fixtures.ts'

const run = (url: string, ...args: string[]) => runCommand(metricsCommand(), args, { DATABASE_URL: url })

test('the command prints metrics, their states, and what is wrong with an instant', async ({ db, database: { url } }) => {
  await upsert(db, [product({ seller_id: 'north', category: 'k', price: 5, currency: 'EUR', quantity: 2 })])
  await foldAndRecord(db, postgresHistory(db))
  const json = async (...args: string[]) => JSON.parse((await run(url, ...args)).text) as unknown
  expect(await json('seller', 'north')).toMatchObject({ seller: { total_products: 1, amounts: [{ amount: 10 }] } })
  expect(await json('category', 'k', '--at', '2100-01-01T00:00:00Z')).toMatchObject({ category: { total_products: 1 } })
  expect(await json('low-stock', '--history')).toMatchObject([{ low_stock_count: 1 }])
  expect(await run(url, 'seller', 'north', '--at', '2001-01-01T00:00:00Z')).toMatchObject({
    code: 1,
    text: expect.stringContaining('no state of SELLER#north was recorded by 2001-01-01T00:00:00Z'),
  })
  expect(await run(url, 'seller', 'north', '--at', 'noon')).toMatchObject({ code: 1, text: expect.stringContaining('RFC 3339') })
})

test('the command moves the line of low stock, and audits it', async ({ db, database: { url } }) => {
  await upsert(db, [product({ quantity: 15 })])
  expect(await run(url, 'low-stock', '--below', '20')).toMatchObject({ code: 0 })
  expect(JSON.parse((await run(url, 'low-stock')).text)).toMatchObject({ low_stock: { low_stock_count: 1, low_stock_below: 20 } })
  const { rows } = await sql`select metadata from audit_entry where action = 'low_stock.change'`.execute(db)
  expect(rows).toEqual([{ metadata: { low_stock_below: 20, before: 10 } }])
})

test('a rebuild compares first, and exits with 1 when something differed', async ({ db, database: { url } }) => {
  await upsert(db, [product({ seller_id: 'north' })])
  await sql`update product_metric_delta set total = 7 where key = 'SELLER#north'`.execute(db)
  const sentence = 'SELLER#north  total: stored 7, expected 1\n'
  expect(await run(url, 'rebuild', '--check')).toMatchObject({ code: 1, text: `${sentence}1 cell differed.\n` })
  expect(await run(url, 'rebuild')).toMatchObject({
    code: 1,
    text: `${sentence}1 cell differed, and the metrics are corrected.\n`,
  })
  expect(await run(url, 'rebuild')).toMatchObject({ code: 0, text: 'Every metric is what the catalog comes to.\n' })
})
