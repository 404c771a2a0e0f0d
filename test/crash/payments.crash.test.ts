import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { instantOf } from '../../src/contract/time.ts'
import { verify } from '../../src/store/proof/verification.ts'
import { callbackArbitrary, reference, withoutZeros } from '../harness/items/payments.ts'
import { answerOf } from '../harness/servers/fail-points.ts'
import type { Death } from './endpoint.ts'
import { quiet } from './wait-until-quiet.ts'
import { type CrashStack, startCrashStack } from './stack.ts'
import type { NewPayment } from '../../src/admission/rows.ts'

const FAIL_POINTS = ['record the payments', answerOf('RecordPayment')]
const CALLBACKS = 6
/** The calls of a round, with their counting. */
const STATEMENTS_MAX = 300
/** Every 60th statement, from another one in each run. */
const STEP = 60
const RESEND_MS = 50

const seed = Number(process.env['CRASH_SEED'] ?? Date.now() % 2 ** 31)

let stack: CrashStack
const sent: NewPayment[] = []
beforeAll(async () => {
  stack = await startCrashStack()
}, 60_000)
afterAll(() => stack.stop({ keepFolder: false }))

function bodyOf(payment: NewPayment): string {
  return JSON.stringify({
    provider: payment.provider,
    callback_id: payment.callbackId,
    payment_ref: payment.paymentRef,
    order_id: payment.orderId,
    status: payment.status,
    currency: payment.currency,
    account_id: 'ada',
    occurred_at: instantOf(payment.occurredAtMs),
    items: payment.items.map(({ productId, sellerId, quantity, unitPrice }) => ({
      product_id: productId,
      quantity,
      ...(sellerId !== null && { seller_id: sellerId }),
      ...(unitPrice !== null && { unit_price: unitPrice }),
    })),
  })
}

/** Sends it until it is acknowledged, as a provider does, at first without patience. */
async function deliver(payment: NewPayment): Promise<void> {
  const body = bodyOf(payment)
  for (let sends = 0; ; sends++) {
    const answer = await fetch(`${stack.ingressUrl}/Analytic/RecordPayment`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
      signal: AbortSignal.timeout(sends === 0 ? 100 : 10_000),
    }).catch(() => undefined)
    if (answer?.ok) return
    if (answer !== undefined && answer.status < 500) throw new Error(`${answer.status} ${await answer.text()}`)
    await sleep(RESEND_MS)
  }
}

/** Callbacks of payments that nobody else knows, each sent by itself and all at once, while the endpoint is killed. */
async function payAndDie(name: string, death: Death): Promise<boolean> {
  const { died } = await stack.arm(death)
  const callbacks = fc.sample(callbackArbitrary, { numRuns: CALLBACKS, seed: seed + sent.length }).map((one) => ({
    ...one,
    paymentRef: `${one.paymentRef} ${name}`,
    orderId: `${one.orderId} ${name}`,
  }))
  sent.push(...callbacks)
  const done = Promise.all(callbacks.map(deliver)).then(() => quiet(stack))
  const hasDied = await stack.outlive(died, done)
  await done
  return hasDied
}

async function storedDays(): Promise<unknown> {
  const { rows } = await sql<{ name: string; revenue: string; items: string; orders: number }>`
    select seller_id || ' ' || currency || ' ' || day as name, revenue, items, orders from seller_day`.execute(stack.db)
  return withoutZeros(
    Object.fromEntries(
      rows.map(({ name, revenue, items, orders }) => [name, { revenue: Number(revenue), items: Number(items), orders }]),
    ),
  )
}

test('wherever the endpoint is killed, callbacks net to the reference ledger', { timeout: 300_000 }, async () => {
  console.log(`CRASH_SEED=${seed}`)
  for (const point of FAIL_POINTS) await payAndDie(`at ${point}`, { point, passage: 1 })
  const first = 1 + (seed % STEP)
  for (let passage = first; await payAndDie(`after statement ${passage}`, { point: 'statement answered', passage });) {
    passage += STEP
    expect(passage).toBeLessThan(STATEMENTS_MAX)
  }
  const expected = reference(sent)
  expect(await storedDays()).toEqual(withoutZeros(expected.days))
  const { rows } = await sql<{ callbacks: number; events: number; purchases: number }>`
    select (select count(*) from payment_callback)::int as callbacks, (select count(*) from analytics_event)::int as events,
      (select coalesce(sum(purchase_count), 0) from product_popularity)::int as purchases`.execute(stack.db)
  const sales = Object.entries(expected.events).filter(([name]) => name.includes(' purchase '))
  expect(rows[0]).toMatchObject({ callbacks: sent.length, events: sent.length })
  expect(rows[0]!.purchases).toBeGreaterThanOrEqual(sales.reduce((sum, [, count]) => sum + count, 0))
  expect((await verify(stack.db)).drift).toEqual([])
})
