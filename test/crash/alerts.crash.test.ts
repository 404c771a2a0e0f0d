import * as clients from '@restatedev/restate-sdk-clients'
import { sql } from 'kysely'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { catalogApi, scheduleApi } from '../../src/contract/services.ts'
import { until } from '../../src/main/embedded/until.ts'
import { makeAlert } from '../harness/items/alerts.ts'
import { interaction, recordAndCount, recordNewSearches, search } from '../harness/items/events.ts'
import { product } from '../harness/items/products.ts'
import type { Database } from '../../src/store/database/connection.ts'
import { clear } from '../harness/servers/database.ts'
import { startWebhookReceiver, type WebhookReceiver } from '../harness/servers/webhook-receiver.ts'
import { ANYWHERE, type Death } from './endpoint-messages.ts'
import { type CrashStack, startCrashStack, type Victim } from './stack.ts'

const PATIENCE_MS = 60_000
const PRODUCTS = 5
/** More than the statements, steps and attempts of the work. */
const OCCURRENCES_MAX = 400
const STEP = 7
const TASKS = ['send-alerts', 'watch-alerts']

let stack: CrashStack
let receiver: WebhookReceiver
beforeAll(async () => {
  receiver = await startWebhookReceiver()
  stack = await startCrashStack()
}, 60_000)
afterAll(async () => {
  await stack.stop({ keepFolder: false })
  await receiver.stop()
})
beforeEach(async () => {
  await clear(stack.db)
  await sql`delete from catalog.product`.execute(stack.db)
  receiver.received.length = 0
})

let minute = 0
const productsWith = (quantity: number) => {
  const updated_at = new Date(Date.UTC(2026, 2, 1) + 60_000 * ++minute).toISOString()
  return { products: Array.from({ length: PRODUCTS }, (_, n) => product({ product_id: `p${n}`, quantity, updated_at })) }
}

const connect = () => clients.connect({ url: stack.ingressUrl })
/** Repeats the same call until it is answered. */
async function upsert(products: ReturnType<typeof productsWith>): Promise<void> {
  const answered = await until(
    () =>
      connect()
        .client(catalogApi)
        .UpsertProducts(products, clients.rpc.opts({ idempotencyKey: products.products[0]!.updated_at }))
        .then(
          () => true,
          () => false,
        ),
    PATIENCE_MS,
  )
  expect(answered).toBe(true)
}

async function startTasks(): Promise<void> {
  for (const name of TASKS) await connect().client(scheduleApi, name).Start({ every_ms: 200 })
}
async function stopTasks(): Promise<void> {
  for (const name of TASKS) await connect().client(scheduleApi, name).Stop({})
}

async function statuses(): Promise<string[]> {
  const { rows } = await sql<{ status: string }>`select status from alert_crossing`.execute(stack.db)
  return rows.map(({ status }) => status)
}
const delivered = (count: number) =>
  until(async () => {
    const found = await statuses().catch(() => [])
    return found.length === count && found.every((status) => status === 'delivered')
  }, PATIENCE_MS)

const WATCHED = [
  { kind: 'enters_top', mode: 'most_viewed', top: 50 },
  { kind: 'rising_above', above: 2 },
  { kind: 'finds_nothing', more_than: 1 },
] as const

/** Lets every product, and as many queries, cross what is watched. */
async function crossWatched(db: Database): Promise<void> {
  const each = <T>(make: (name: string) => T) => Array.from({ length: PRODUCTS }, (_, n) => make(`p${n}`))
  await recordAndCount(
    db,
    each((refId) => interaction({ refId, eventType: 'view' })),
  )
  await recordNewSearches(db, [...each(lost), ...each(lost)])
  await sql`insert into product_rising (product_id, rising_score) select unnest(${each((name) => name)}::text[]), 9`.execute(db)
}
const lost = (query: string) => search({ query, productIds: [] })

/** Makes stock fall and lists change while the endpoint dies. @returns whether it died. */
async function crossAndDie(death: Death, { hasLists = true } = {}): Promise<boolean> {
  await clear(stack.db)
  await sql`delete from catalog.product`.execute(stack.db)
  receiver.received.length = 0
  const alerts = [await makeAlert(stack.db, { url: receiver.url })]
  for (const condition of hasLists ? WATCHED : []) alerts.push(await makeAlert(stack.db, { url: receiver.url, ...condition }))
  await sql`update alert set checked_at = now()`.execute(stack.db)
  await upsert(productsWith(9))
  const hasDied = await stack.dieDuring(death, async () => {
    await startTasks().catch(() => startTasks())
    await upsert(productsWith(3))
    await crossWatched(stack.db)
    expect(await delivered(alerts.length * PRODUCTS)).toBe(true)
    await stopTasks()
  })
  const expected = alerts.flatMap(({ id }) => Array.from({ length: PRODUCTS }, (_, n) => `${id} p${n}`))
  const distinct = new Map(
    receiver.received.map(({ body }) => [
      body.delivery_id,
      `${body.alert_id} ${String(body.facts['product_id'] ?? body.facts['query'])}`,
    ]),
  )
  expect([...distinct.values()].toSorted()).toEqual(expected.toSorted())
  // At most one delivery of each alert came twice: the dead process had the answer, and Restate did not. The text is the same.
  expect(receiver.received.length - distinct.size).toBeLessThanOrEqual(hasDied ? alerts.length : 0)
  expect(new Set(receiver.received.map(({ text }) => text)).size).toBe(distinct.size)
  return hasDied
}

test('wherever the endpoint is killed, each crossing is noted once and delivered', { timeout: 600_000 }, async () => {
  let deaths = 0
  for (
    let occurrence = 1 + Math.floor(Math.random() * STEP);
    await crossAndDie({ point: ANYWHERE, occurrence });
    occurrence += STEP
  ) {
    deaths += 1
    // The tasks run again and again, so the endpoint reaches every occurrence at some time.
    if (occurrence > 12 * STEP) break
    expect(occurrence).toBeLessThan(OCCURRENCES_MAX)
  }
  expect(deaths).toBeGreaterThan(5)
})

test(
  'killed after the journal has the answer of the receiver, the endpoint does not send again',
  { timeout: 300_000 },
  async () => {
    // With one alert no other delivery is under way.
    expect(await crossAndDie({ point: 'keep the outcome', occurrence: 1 }, { hasLists: false })).toBe(true)
    expect(receiver.received).toHaveLength(PRODUCTS)
    for (const point of ['find due deliveries', 'watch an alert', 'update the catalogue', 'send the next delivery']) {
      expect(await crossAndDie({ point, occurrence: 1 }), `not reached: ${point}`).toBe(true)
    }
  },
)

test(
  'while PostgreSQL, Restate and the endpoint are killed, no crossing is lost and none is noted twice',
  { timeout: 600_000 },
  async () => {
    await makeAlert(stack.db, { url: receiver.url })
    await startTasks()
    const victims: Victim[] = ['postgres', 'restate', 'endpoint']
    let crossings = 0
    for (const victim of victims) {
      await upsert(productsWith(9))
      const falling = upsert(productsWith(3))
      await stack.kill(victim)
      await stack.revive(victim)
      await falling
      crossings += PRODUCTS
    }
    expect(await delivered(crossings)).toBe(true)
    await stopTasks()
    expect(new Set(receiver.received.map(({ body }) => body.delivery_id)).size).toBe(crossings)
  },
)
