import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { sql } from 'kysely'
import { expect, onTestFinished } from 'vitest'
import { alertsCommand } from '../../src/cli/commands/alerts.ts'
import type { Alert } from '../../src/contract/alert.ts'
import type { AlertDelivery } from '../../src/contract/alert-delivery.ts'
import { keepAttempt } from '../../src/store/alerts/delivery.ts'
import type { Database } from '../../src/store/database/connection.ts'
import { gatewayTest as test } from '../harness/fixtures.ts'
import { clearAlerts } from '../harness/items/alerts.ts'
import { product, upsert } from '../harness/items/products.ts'
import { runCommand } from '../harness/programs/command.ts'
import { makeDataFolder } from '../harness/servers/data-folder.ts'
import type { TestGateway } from '../harness/servers/gateway.ts'

const URL = 'http://127.0.0.1:9/'
test.beforeEach(async ({ db }) => {
  await clearAlerts(db)
  await sql`delete from catalog.product`.execute(db)
})

const run = ({ url }: TestGateway, ...args: string[]) => runCommand(alertsCommand(), [...args, '--gateway', url], {})
async function json<T>(gateway: TestGateway, ...args: string[]): Promise<T> {
  const { code, text } = await run(gateway, ...args, '--json')
  expect({ code, text }).toMatchObject({ code: 0 })
  return JSON.parse(text) as T
}

async function fall(db: Database): Promise<void> {
  for (const [hour, quantity] of [9, 3].entries()) {
    await upsert(db, [product({ quantity, updated_at: `2026-03-01T0${hour}:00:00Z` })])
  }
}

test('each kind of alert is made, listed, turned off and on, and deleted', async ({ db, gateway }) => {
  expect(await run(gateway, 'list')).toEqual({ code: 0, text: 'There is no alert.\n' })
  const stock = ['low_stock', URL, '--name', 'Lamps', '--below', '5', '--rearm-at', '8', '--seller', 's', '--category', 'k']
  const made = await run(gateway, 'create', ...stock)
  expect(made).toMatchObject({
    code: 0,
    text: expect.stringMatching(/^Alert [0-9a-f-]{36} \(Lamps\)\. Keep .*\n\n {2}[\w-]{43}\n/),
  })
  for (const args of [
    ['enters_top', URL, '--mode', 'trending', '--top', '10', '--product', 'p'],
    ['rising_above', URL, '--above', '2.5'],
    ['finds_nothing', URL, '--more-than', '20'],
  ])
    expect((await run(gateway, 'create', ...args)).code).toBe(0)
  const alerts = await json<Alert[]>(gateway, 'list')
  expect(alerts.map(({ kind, name }) => [kind, name])).toEqual([
    ['low_stock', 'Lamps'],
    ['enters_top', 'enters_top'],
    ['rising_above', 'rising_above'],
    ['finds_nothing', 'finds_nothing'],
  ])
  const [lamps] = alerts as [Alert]
  expect(lamps).toMatchObject({ below: 5, rearm_at: 8, filter: { seller_id: 's', category: 'k' }, is_on: true })
  expect((await run(gateway, 'list')).text).toContain('low_stock 5 seller_id s category k')
  expect(await run(gateway, 'off', lamps.id)).toEqual({ code: 0, text: `Alert ${lamps.id} (Lamps) is off.\n` })
  expect(await json<Alert>(gateway, 'on', lamps.id)).toMatchObject({ id: lamps.id, is_on: true })
  expect(await run(gateway, 'delete', lamps.id)).toEqual({ code: 0, text: `Alert ${lamps.id} (Lamps) is deleted.\n` })
  expect(await json<Alert[]>(gateway, 'list')).toEqual(alerts.slice(1))
  const { rows } = await sql<{ n: number }>`
    select count(*)::int as n from audit_entry where resource_id = ${lamps.id} and metadata ? 'requested_by'`.execute(db)
  expect(rows).toEqual([{ n: 3 }])
})

test('a secret can come from a file, and is changed', async ({ gateway }) => {
  const folder = makeDataFolder('alert-secret')
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const file = join(folder, 'secret')
  await writeFile(file, 'a-secret-of-a-file\n')
  const made = await json<Alert & { secret: string }>(gateway, 'create', 'low_stock', URL, '--below', '5', '--secret-file', file)
  expect(made.secret).toBe('a-secret-of-a-file')
  const { text } = await run(gateway, 'secret', made.id, '--old-hours', '0')
  expect(text).toMatch(/\n {2}[\w-]{43}\n/)
  await writeFile(file, 'short\n')
  expect((await run(gateway, 'secret', made.id, '--secret-file', file)).code).not.toBe(0)
})

test('deliveries are listed by their state, and one is sent again', async ({ db, gateway }) => {
  const { id } = await json<Alert>(gateway, 'create', 'low_stock', URL, '--below', '5')
  expect(await run(gateway, 'deliveries', id)).toEqual({ code: 0, text: 'There is no delivery.\n' })
  await fall(db)
  const [{ delivery_id: deliveryId }] = await json<[AlertDelivery]>(gateway, 'deliveries', id)
  const replay = () => run(gateway, 'replay', id, deliveryId)
  expect(await replay()).toMatchObject({ code: 1, text: expect.stringContaining('pending already') })
  await sql`update alert_crossing set tried_from = now() - interval '2 days'`.execute(db)
  await keepAttempt(db, { deliveryId, attempts: 0, status: 500, error: 'answered 500' })
  expect((await run(gateway, 'deliveries', id, '--status', 'failed')).text).toMatch(/'p'.*'failed'.*1.*'answered 500'/)
  expect(await json<AlertDelivery[]>(gateway, 'deliveries', id, '--status', 'delivered', '--limit', '5')).toEqual([])
  expect(await replay()).toEqual({ code: 0, text: `Delivery ${deliveryId} is sent again within seconds.\n` })
})

test.for([
  [['create', 'low_price', URL], 'The kind must be low_stock, enters_top, rising_above, finds_nothing.'],
  [['create', 'low_stock', URL], 'below is needed with the kind low_stock.'],
  [['create', 'low_stock', URL, '--below', 'x'], 'It must be a number.'],
  [['create', 'low_stock', URL, '--below', '0'], 'below must be a whole number from 1 to'],
  [['create', 'low_stock', URL, '--below', '5', '--top', '3'], 'top does not belong to the kind low_stock.'],
  [['create', 'enters_top', URL, '--mode', 'worst', '--top', '3'], "'worst' is invalid"],
  [['create', 'low_stock', 'hooks.example.com', '--below', '5'], 'url'],
  [['deliveries', 'x'], 'id'],
  [['deliveries', '019cb2f8-9d00-7c3e-8f5a-5b0f2a6d9c11', '--status', 'lost'], "'lost' is invalid"],
  [['deliveries', '019cb2f8-9d00-7c3e-8f5a-5b0f2a6d9c11'], 'there is no alert 019cb2f8'],
  [['delete', '019cb2f8-9d00-7c3e-8f5a-5b0f2a6d9c11'], 'there is no alert 019cb2f8'],
] as const)('%j is refused', async ([args, message], { gateway }) => {
  const { code, text } = await run(gateway, ...args)
  expect(code).not.toBe(0)
  expect(text).toContain(message)
})
