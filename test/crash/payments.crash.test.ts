import { setTimeout as sleep } from 'node:timers/promises'
import fc from 'fast-check'
import { sql } from 'kysely'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { PaymentCallback } from '../../src/contract/payment.ts'
import { instantOf } from '../../src/contract/fields/time.ts'
import { verify } from '../../src/store/proof/verification.ts'
import { callbacksArbitrary, withoutZeros } from '../harness/items/payments.ts'
import { reference } from '../harness/reference/ledger.ts'
import { answerOf } from '../harness/servers/fail-points.ts'
import { type Death, STATEMENT_ANSWERED } from './endpoint-messages.ts'
import { waitUntilQuiet } from './wait-until-quiet.ts'
import { type CrashStack, startCrashStack } from './stack.ts'
import type { NewPayment } from '../../src/admission/payment.ts'

const FAIL_POINTS = ['record the payments', answerOf('RecordPayment')]
const CALLBACKS = 6
/** More than all calls of one `payAndDie` take with their counting. */
const STATEMENTS_MAX = 300
/** The endpoint dies after every 60th statement, and the seed chooses the first. */
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
    ...(payment.captureRef !== null && { capture_ref: payment.captureRef }),
    ...(payment.reverses !== null && { reverses: payment.reverses }),
    order_id: payment.orderId,
    status: payment.status,
    currency: payment.currency,
    account_id: 'ada',
    occurred_at: instantOf(payment.occurredAtMs),
    items: payment.items.map(({ productId, sellerId, quantity, unitPrice }) => ({
      ...(productId !== null && { product_id: productId }),
      quantity,
      ...(sellerId !== null && { seller_id: sellerId }),
      ...(unitPrice !== null && { unit_price: unitPrice }),
    })),
  })
}

/** Sends a callback until it is acknowledged, as a provider does. The first attempt times out after 100 ms. */
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

const acceptedCallbacks = callbacksArbitrary({ minLength: CALLBACKS, maxLength: CALLBACKS }).filter((callbacks) =>
  callbacks.every(
    (payment) => PaymentCallback.safeParse(JSON.parse(bodyOf(payment))).success && reversesItsPayment(payment, callbacks),
  ),
)

/** Whether a callback is recorded in any order: a reversal of another payment is refused once that payment is known. */
function reversesItsPayment({ reverses, paymentRef }: NewPayment, callbacks: readonly NewPayment[]): boolean {
  return reverses === null || callbacks.some((other) => other.callbackId === reverses && other.paymentRef === paymentRef)
}

/** Sends callbacks of new payments concurrently, each in a call of its own, while the endpoint is killed. */
async function payAndDie(name: string, death: Death): Promise<boolean> {
  const [drawn] = fc.sample(acceptedCallbacks, { numRuns: 1, seed: seed + sent.length })
  const callbacks = drawn!.map((payment) => ({
    ...payment,
    paymentRef: `${payment.paymentRef} ${name}`,
    orderId: `${payment.orderId} ${name}`,
  }))
  sent.push(...callbacks)
  return stack.dieDuring(death, async () => {
    await Promise.all(callbacks.map(deliver))
    await waitUntilQuiet(stack)
  })
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

test('wherever the endpoint is killed, callbacks add up to the reference ledger', { timeout: 300_000 }, async () => {
  console.log(`CRASH_SEED=${seed}`)
  for (const point of FAIL_POINTS) await payAndDie(`at ${point}`, { point, occurrence: 1 })
  const first = 1 + (seed % STEP)
  for (let occurrence = first; await payAndDie(`after statement ${occurrence}`, { point: STATEMENT_ANSWERED, occurrence });) {
    occurrence += STEP
    expect(occurrence).toBeLessThan(STATEMENTS_MAX)
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
