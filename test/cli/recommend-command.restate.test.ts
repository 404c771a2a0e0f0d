import { sql } from 'kysely'
import { expect } from 'vitest'
import { recommendCommand } from '../../src/cli/commands/recommend.ts'
import { RecommendResponse } from '../../src/contract/recommendation.ts'
import { recommended, waitForVersion } from '../harness/clients/recommendations.ts'
import { gatewayTest as test } from '../harness/fixtures.ts'
import { upsert } from '../harness/items/products.ts'
import { idOf, shopProduct, storeShop, versionOfLog, viewed } from '../harness/items/shop-with-history.ts'
import { runCommand } from '../harness/programs/command.ts'
import { clear } from '../harness/servers/database.ts'
import type { TestGateway } from '../harness/servers/gateway.ts'

test.beforeEach(async ({ db, gateway }) => {
  await clear(db)
  await sql`delete from catalog.product`.execute(db)
  await storeShop(db)
  await viewed(db, { accountId: 'ada' }, ['p01', 'p02', 'p03', 'p04', 'p05'])
  await waitForVersion(gateway, await versionOfLog(db))
})

const run = ({ url }: Pick<TestGateway, 'url'>, ...args: string[]) =>
  runCommand(recommendCommand(), [...args, '--gateway', url], {})

test('a table has the rank, the name and the score of each product', async ({ gateway }) => {
  const { code, text } = await run(gateway, 'account:ada', '--limit', '3')
  const { data } = await recommended(gateway, 'account_id=ada&limit=3')
  expect(code).toBe(0)
  expect(text).toContain('account:ada')
  expect(text).toContain('By what the shopper did, blend similarity · 5 interactions · version')
  for (const { rank, product_id: id, score } of data) {
    expect(text).toContain(`  ${rank}  Product ${Number(id.slice(1))} (${id})`)
    expect(text).toContain(score.toFixed(9))
  }
})

test('an explanation is a sum, line by line', async ({ gateway }) => {
  const { text } = await run(gateway, 'account:ada', '--limit', '5', '--explain')
  const parts = text.split(/^(?= +\d+ {2}Product)/m).slice(1)
  expect(parts).toHaveLength(5)
  for (const part of parts) {
    const billionthsIn = (pattern: RegExp) => Array.from(part.matchAll(pattern), ([, whole, rest]) => Number(whole! + rest!))
    const shares = billionthsIn(/^ {5}(\d+)\.(\d{9}) {2}/gm)
    const total = shares.reduce((sum, share) => sum + share, 0)
    expect(billionthsIn(/^ {3}= (\d+)\.(\d{9})$/gm)).toEqual([total])
    expect(billionthsIn(/Product .* {2}(\d+)\.(\d{9})$/gm)).toEqual([total])
  }
  expect(parts[0]).toMatch(/shoppers had it near Product 5 \d+ times\n/)
  expect(parts[0]).toMatch(/similarity \d\.\d+ · decay 1 \(the newest\) · view of \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\n/)
  expect(parts[0]).toMatch(/\d shares of less than a thousandth of the score \(--json shows them\)\n/)
})

test('the rules that held are between the shares and their sum', async ({ gateway }) => {
  const { text } = await run(gateway, 'account:ada', '--limit', '20', '--explain')
  expect(text).toMatch(/ · rules 0\.5\n(?: {5}\d.*\n)* {5}rule seen 0\.5: in the history of the shopper\n {3}= \d/)
})

test('more interactions than an answer counts are said to be more', async ({ db, gateway }) => {
  await viewed(
    db,
    { accountId: 'eve' },
    Array.from({ length: 120 }, (_, n) => idOf(n)),
  )
  expect((await run(gateway, 'account:eve')).text).toContain(' · at least 100 interactions · ')
})

test('the answer is there as JSON', async ({ gateway }) => {
  const { text } = await run(gateway, 'account:ada', '--json', '--explain')
  expect(RecommendResponse.parse(JSON.parse(text)).data[0]!.reasons!.shares.length).toBeGreaterThan(0)
})

test('a shopper of whom nothing is known gets popular products, and the table says so', async ({ gateway }) => {
  const { code, text } = await run(gateway, 'session:new')
  expect(code).toBe(0)
  expect(text).toContain('Popular products, because too little is known of the shopper · 0 interactions')
  const explained = await run(gateway, 'session:new', '--explain')
  expect(explained.text).toContain('it is popular')
  expect(explained.text).toContain('price and stock')
})

test('a name that would control the terminal is shown as text', async ({ db, gateway }) => {
  await upsert(db, [shopProduct(6, { name: 'Red \u001b[31m lamp', updated_at: '2026-05-01T00:00:00.000Z' })])
  const { text } = await run(gateway, 'account:ada')
  expect(text).not.toContain('\u001b[31m')
  expect(text).toContain(String.raw`Red \u001b[31m lamp (p06)`)
})

test('wrong shoppers and addresses are told in a sentence', async ({ gateway }) => {
  expect(await run(gateway, 'ada')).toMatchObject({ code: 2 })
  const nowhere = await run({ url: 'http://127.0.0.1:1' }, 'account:ada')
  expect(nowhere).toMatchObject({ code: 1 })
  expect(nowhere.text).toContain('No gateway answers at http://127.0.0.1:1')
})
