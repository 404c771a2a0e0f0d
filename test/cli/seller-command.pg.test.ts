import { expect, inject } from 'vitest'
import { SellerDashboardResponse } from '../../src/contract/seller-dashboard.ts'
import { sellerCommand } from '../../src/cli/commands/seller.ts'
import { runCommand } from '../harness/programs/command.ts'
import { createEmptyDatabase, type TestDatabase } from '../harness/servers/database.ts'
import { runCommandProcess } from '../harness/programs/command-process.ts'
import { saleLine, storeSales } from '../harness/items/sales.ts'
import { pgTest as test } from '../harness/fixtures.ts'

test.beforeAll(async ({ db }) => {
  const sold = (day: string, amount: number) => saleLine({ occurredAtMs: Date.parse(day), amount, quantity: 2 })
  await storeSales(db, [sold('2026-02-28', 10_000), sold('2026-03-01T23:30Z', 4_990), sold('2026-03-02', 4_990)])
})

const run = (database: TestDatabase, args: readonly string[], url = database.url) =>
  runCommand(sellerCommand(), [...args], { DATABASE_URL: url })

const MARCH = ['--start', '2026-03-01', '--end', '2026-03-02']

test('the command draws a dashboard on the terminal', async ({ database }) => {
  const { code, output } = await runCommandProcess(['seller', 'north-light', ...MARCH], { DATABASE_URL: database.url })
  expect(output).toMatch(/^Revenue +€99\.80 {2}▼ 0\.2 %$/m)
  expect(output).toMatch(/^2026-03-02 +█+ +€49\.90 +1$/m)
  expect(output).toMatch(/^lamp +4 +€99\.80$/m)
  expect(code).toBe(0)
})

test('with --json the command prints the whole answer', async ({ database }) => {
  const { text, code } = await run(database, [
    'north-light',
    ...MARCH,
    '--time-zone',
    'Asia/Kathmandu',
    '--granularity',
    'week',
    '--json',
  ])
  expect(code).toBe(0)
  const { data, meta } = SellerDashboardResponse.parse(JSON.parse(text))
  expect(data.charts.orders).toEqual([
    { date: '2026-02-23', value: 0 },
    { date: '2026-03-02', value: 2 },
  ])
  expect(meta).toMatchObject({ seller_id: 'north-light', time_zone: 'Asia/Kathmandu', granularity: 'week' })
})

test('a seller without sales is reported as such', async ({ database }) => {
  expect((await run(database, ['nobody'])).text).toContain('Nothing was sold on these days.')
})

test.for([
  ['no seller', [], "missing required argument 'id'"],
  ['an empty seller', [''], 'The id of the seller must have 1 to 200 characters.'],
  ['a day that there is not', ['a', '--start', '2026-02-30'], '--start must be a day such as 2026-03-01.'],
  ['a start after the end', ['a', '--start', '2026-03-02', '--end', '2026-03-01'], '--start must not be after the last day'],
  ['a day of long ago', ['a', '--end', '1999-12-31'], '--end must be from 2000-01-01 to 2100-12-31.'],
  ['a time zone that there is not', ['a', '--time-zone', 'Mars/Base'], '--time-zone must be an IANA time zone'],
  ['a currency that there is not', ['a', '--currency', 'ZZZ'], '--currency is not a currency of ISO 4217.'],
  ['a granularity that there is not', ['a', '--granularity', 'hour'], 'day, week, month'],
  ['too many bars', ['a', '--start', '2000-01-01', '--end', '2027-05-18'], '--granularity would give 10,000 points'],
  ['an option that is none', ['a', '--nonsense'], "unknown option '--nonsense'"],
] as const)('%s is answered with one sentence that names it', async ([_name, args, named], { database }) => {
  const { code, text } = await run(database, args)
  expect(code).toBe(2)
  expect(text).toContain(named)
  expect(text.trim().split('\n')).toHaveLength(1)
})

test('an unprepared database is reported with the command that prepares it', async ({ database }) => {
  const { url, drop } = await createEmptyDatabase(inject('postgresUrl'))
  const { text } = await run(database, ['a'], url)
  await drop()
  expect(text).toContain('./footfall migrate')
})
