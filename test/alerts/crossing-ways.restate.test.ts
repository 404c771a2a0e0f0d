import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { sql } from 'kysely'
import { expect, onTestFinished } from 'vitest'
import { importCommand } from '../../src/cli/commands/import.ts'
import type { Product } from '../../src/contract/product.ts'
import { catalogApi } from '../../src/contract/services.ts'
import { gatewayTest as test } from '../harness/fixtures.ts'
import { clearAlerts, crossings, makeAlert } from '../harness/items/alerts.ts'
import { product } from '../harness/items/products.ts'
import { runCommand } from '../harness/programs/command.ts'
import { makeDataFolder } from '../harness/servers/data-folder.ts'
import type { TestGateway } from '../harness/servers/gateway.ts'
import type { Stack } from '../harness/servers/stack.ts'

test.beforeEach(async ({ db }) => {
  await clearAlerts(db)
  await sql`delete from catalog.product`.execute(db)
})

const PRODUCTS = 300
const at = (hour: number, quantity: number): Product[] => {
  const updated_at = `2026-03-01T${String(hour).padStart(2, '0')}:00:00.000Z`
  return Array.from({ length: PRODUCTS }, (_, n) => product({ product_id: `p${n}`, quantity, updated_at }))
}

async function overRest({ url }: TestGateway, products: Product[]): Promise<void> {
  const answer = await fetch(`${url}/api/v1/catalog/products`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ products }),
  })
  expect(answer.status).toBe(200)
}

const overRestate = async ({ ingress }: Stack, products: Product[]) => {
  await ingress.client(catalogApi).UpsertProducts({ products })
}

async function fromFile({ ingressUrl, adminUrl }: Stack, products: Product[]): Promise<void> {
  const folder = makeDataFolder('crossings')
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const file = join(folder, 'products.jsonl')
  await writeFile(file, products.map((one) => JSON.stringify(one)).join('\n'))
  const env = { RESTATE_INGRESS_URL: ingressUrl, RESTATE_ADMIN_URL: adminUrl }
  const { code, text } = await runCommand(importCommand(), ['--products', file], env)
  expect({ code, text }).toMatchObject({ code: 0 })
}

test('a crossing is noted once, by whichever way its version comes, and however many ways bring it', async ({
  db,
  gateway,
  stack,
}) => {
  const { id } = await makeAlert(db)
  const ways = [
    (products: Product[]) => overRest(gateway, products),
    (products: Product[]) => overRestate(stack, products),
    (products: Product[]) => fromFile(stack, products),
  ]
  let hour = 0
  for (const way of ways) {
    await way(at(++hour, 9))
    await way(at(++hour, 3))
    await way(at(hour, 3))
    await way(at(++hour, 2))
  }
  const expected = (falls: number) => Array.from({ length: PRODUCTS }, (_, n) => [`p${n}`, falls] as const)
  const counted = async () => {
    const counts = Map.groupBy(await crossings(db), ({ subject }) => subject)
    return new Map([...counts].map(([subject, all]) => [subject, all.length]))
  }
  expect(await counted()).toEqual(new Map(expected(ways.length)))
  await overRest(gateway, at(++hour, 9))
  hour++
  await Promise.all(ways.map((way) => way(at(hour, 1))))
  expect(await counted()).toEqual(new Map(expected(ways.length + 1)))
  expect(new Set((await crossings(db)).map(({ alert_id: alertId }) => alertId))).toEqual(new Set([id]))
})
