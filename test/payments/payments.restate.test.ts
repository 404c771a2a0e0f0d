import { createHmac, randomUUID } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'kysely'
import { afterAll, describe, expect } from 'vitest'
import type { PaymentAdapter } from '../../src/contract/payment-adapter.ts'
import type { PaymentCallback } from '../../src/contract/payment.ts'
import { analyticApi } from '../../src/contract/services.ts'
import { Config } from '../../src/main/config/config.ts'
import { paymentAdaptersOf } from '../../src/main/config/payments.ts'
import { verify } from '../../src/store/proof/verification.ts'
import { PAYMENT_SECRET, type TestGateway } from '../harness/servers/gateway.ts'
import { gatewayTest } from '../harness/fixtures.ts'
import type { Database } from '../../src/store/database/connection.ts'

const STRIPE_SECRETS = ['whsec_the_new_one_of_stripe', 'whsec_the_old_one_of_stripe']
const folder = mkdtempSync(join(tmpdir(), 'footfall-payments-'))

afterAll(() => rmSync(folder, { recursive: true }))

process.env['STRIPE_WEBHOOK_SECRETS'] = STRIPE_SECRETS.join(',')
process.env['ACME_SECRETS'] = STRIPE_SECRETS.join(',')

const lengthSigned: PaymentAdapter = {
  provider: 'own-way',
  isSigned: ({ headers, body }) => headers['x-own'] === `sum ${body.length}`,
  callbacksOf: async (callbacks: never) => callbacks,
}

const test = gatewayTest.extend('gatewayChanges', { scope: 'file' }, async () => ({
  paymentWebhooks: {
    secrets: ['a secret of tomorrow', PAYMENT_SECRET],
    adapters: [...(await adaptersOf('docs/adapters/stripe.js', adapterOfDocs())), lengthSigned],
  },
}))

/** The adapter in the text of the documentation, as a file. */
function adapterOfDocs(): string {
  const [, code] = /```js\n([\s\S]+?)```/.exec(
    readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'payments.md'), 'utf8'),
  )!
  return moduleOf(code!)
}

function moduleOf(code: string): string {
  const file = join(folder, `${randomUUID()}.mjs`)
  writeFileSync(file, code)
  return file
}

function adaptersOf(...files: string[]): Promise<PaymentAdapter[]> {
  return paymentAdaptersOf(Config.parse({ PAYMENT_ADAPTERS: files.join(', ') }))
}

const callback = (changes: Partial<PaymentCallback> = {}): PaymentCallback => ({
  provider: 'acme-pay',
  callback_id: randomUUID(),
  payment_ref: randomUUID(),
  order_id: randomUUID(),
  status: 'success',
  currency: 'EUR',
  account_id: 'ada',
  occurred_at: '2026-03-01T12:00:00Z',
  items: [{ product_id: 'lamp', seller_id: randomUUID(), quantity: 2, unit_price: 4_990 }],
  ...changes,
})

interface Sending {
  body?: string
  header?: string | null
  name?: string
  secret?: string
  seconds?: number
  path?: string
}

async function send(
  gateway: TestGateway,
  given: unknown,
  { secret = PAYMENT_SECRET, seconds = 0, name = 'x-signature', path = '', ...rest }: Sending = {},
) {
  const body = rest.body ?? JSON.stringify(given)
  const time = Math.floor(Date.now() / 1_000) + seconds
  const digest = createHmac('sha256', secret)
    .update(`${time}.${JSON.stringify(given)}`)
    .digest('hex')
  const header = rest.header === undefined ? `t=${time},v1=${digest}` : rest.header
  const response = await fetch(`${gateway.url}/api/v1/orders/payment/callback${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(header !== null && { [name]: header }) },
    body,
  })
  const json = (await response.json()) as { data?: unknown; error?: { code: string; message: string; details?: unknown } }
  return { status: response.status, ...json }
}

async function linesOf(db: Database, orderId: string) {
  const { rows } = await sql<{ line: string }>`
    select concat_ws(' ', l.product_id, l.quantity, l.amount, l.orders) as line
    from sale_line l join payment_callback c on c.callback_no = l.sale_no
    where c.order_id = ${orderId} order by sale_line_id`.execute(db)
  return rows.map(({ line }) => line)
}

test('a signed callback is recorded once, with its sale lines and its purchase', async ({ db, stack, gateway }) => {
  const one = callback()
  expect(await send(gateway, one)).toEqual({
    status: 200,
    data: { accepted: 1, duplicates: 0, duplicate_indexes: [], rejected: [] },
  })
  expect(await send(gateway, one)).toEqual({
    status: 200,
    data: { accepted: 0, duplicates: 1, duplicate_indexes: [0], rejected: [] },
  })
  expect(await linesOf(db, one.order_id)).toEqual(['lamp 2 9980 1'])
  await stack.settled()
  const { rows } = await sql`
    select event_type, ref_id, account_id, b.scored_at is not null as counted, b.fed_at is not null as fed
    from interaction i join interaction_batch b using (batch_id)
    where metadata ->> 'order_id' = ${one.order_id}`.execute(db)
  expect(rows).toEqual([{ event_type: 'purchase', ref_id: 'lamp', account_id: 'ada', counted: true, fed: true }])
  expect((await verify(db)).drift).toEqual([])
})

test('a refund of more than was sold counts up to the sale, and the answer names the excess', async ({ db, gateway }) => {
  const one = callback()
  await send(gateway, one)
  const refund = { ...one, callback_id: randomUUID(), status: 'refunded' as const, occurred_at: '2026-03-02T12:00:00Z' }
  const { data } = await send(gateway, { ...refund, items: [{ product_id: 'lamp', quantity: 3 }] })
  expect(data).toEqual({
    ...{ accepted: 1, duplicates: 0, duplicate_indexes: [] },
    rejected: [
      { index: 0, code: 'refused', field: 'items.0.quantity', message: 'asks for 3 of lamp, and 2 of this payment were left' },
    ],
  })
  expect(await linesOf(db, one.order_id)).toEqual(['lamp 2 9980 1', 'lamp -2 -9980 -1'])
  const { rows } = await sql`
    select code, field from rejected_interaction where item like ${`%${refund.callback_id}%`} and is_payment`.execute(db)
  expect(rows).toEqual([{ code: 'refused', field: 'items.0.quantity' }])
})

test('a cancellation that comes before its payment waits for the payment', async ({ db, gateway }) => {
  const one = callback({ session_id: 's' })
  const early = { ...one, callback_id: randomUUID(), status: 'cancelled', items: [] }
  expect(await send(gateway, early)).toMatchObject({ status: 200, data: { accepted: 1, rejected: [] } })
  expect(await linesOf(db, one.order_id)).toEqual([])
  await send(gateway, one)
  expect(await linesOf(db, one.order_id)).toEqual(['lamp 2 9980 1', 'lamp -2 -9980 -1'])
})

test('trusted services record without a signature, and each callback is judged by itself', async ({ db, stack }) => {
  const analytic = stack.ingress.client(analyticApi)
  expect(await analytic.RecordPayment(callback())).toMatchObject({ accepted: 1 })
  await expect(analytic.RecordPayment({ ...callback(), currency: 'XXY' })).rejects.toThrow(/currency/)
  const twice = callback()
  const { results } = await analytic.RecordPayments({
    callbacks: [twice, { ...callback(), nonsense: 1 }, twice, callback({ occurred_at: '1999-12-31T23:59:59Z' }), 7],
  })
  expect(
    results.map(({ accepted, duplicates, rejected }) => [accepted, duplicates, ...rejected.map(({ field }) => field)]),
  ).toEqual([
    [1, 0],
    [0, 0, 'nonsense'],
    [0, 1],
    [0, 0, 'occurred_at'],
    [0, 0, null],
  ])
  const { rows } = await sql`
    select index, code from rejected_interaction where code <> 'refused' order by batch_id desc, index limit 3`.execute(db)
  expect(rows).toMatchObject([{ index: 1 }, { index: 3, code: 'too_old' }, { index: 4 }])
})

test('a rejected callback is replayed with a correction, once', async ({ db, stack }) => {
  const analytic = stack.ingress.client(analyticApi)
  const pending = callback({ status: 'pending', occurred_at: '1999-12-31T23:59:59Z' })
  const { results } = await analytic.RecordPayments({ callbacks: [pending] })
  expect(results[0]!.rejected).toMatchObject([{ code: 'too_old' }])
  const { rows } = await sql<{ batch_id: string; index: number }>`
    select batch_id, index from rejected_interaction where item like ${`%${pending.callback_id}%`}`.execute(db)
  const again = await analytic.ReplayRejected(rows[0]!)
  expect(again).toMatchObject({ outcome: 'rejected', rejection: { code: 'too_old', field: 'occurred_at' } })
  const [batch_id, index] = again.rejection!.id.split('.') as [string, string]
  const repaired = { batch_id, index: Number(index), set: { occurred_at: '2026-03-01T12:00:00Z', status: 'success' } }
  expect(await analytic.ReplayRejected(repaired)).toEqual({ outcome: 'accepted' })
  await expect(analytic.ReplayRejected(repaired)).rejects.toThrow(/was replayed already/)
  expect(await linesOf(db, pending.order_id)).toEqual(['lamp 2 9980 1'])
  await stack.settled()
  expect((await verify(db)).drift).toEqual([])
})

test('many concurrent callbacks, some of the same orders, net correctly', async ({ db, stack, gateway }) => {
  const [seller, order] = [randomUUID(), randomUUID()]
  const items = [{ product_id: 'chair', seller_id: seller, quantity: 1, unit_price: 100 }]
  const payments = Array.from({ length: 40 }, (_, index) => callback({ order_id: index < 20 ? order : randomUUID(), items }))
  const refunds = payments.slice(0, 30).map((one) => ({ ...one, callback_id: randomUUID(), status: 'refunded', items: [] }))
  await Promise.all([...refunds, ...payments, ...payments].map((one) => send(gateway, one)))
  const { rows } = await sql`
    select revenue::int, orders, items::int from seller_day where seller_id = ${seller}`.execute(db)
  expect(rows).toEqual([{ revenue: 1_000, orders: 10, items: 10 }])
  await stack.settled()
  expect((await verify(db)).drift).toEqual([])
})

describe('a signature', () => {
  test.for<[string, Sending, RegExp]>([
    ['that is missing', { header: null }, /sign the body/],
    ['that is old', { seconds: -301 }, /older than 5 minutes/],
    ['from the future', { seconds: 310 }, /future/],
    ['with another secret', { secret: 'another' }, /not the signature/],
    ['of a body that was changed by one byte', { body: JSON.stringify(callback()).replace('4990', '4991') }, /not the signature/],
    ['of no body', { body: '' }, /not the signature/],
  ])('%s is a 401', async ([_name, sending, message], { gateway }) => {
    const { status, error } = await send(gateway, callback(), sending)
    expect([status, error!.code]).toEqual([401, 'unauthorized'])
    expect(error!.message).toMatch(message)
  })

  test('that is missing is a 401', async ({ gateway }) => {
    const response = await fetch(`${gateway.url}/api/v1/orders/payment/callback`, { method: 'POST' })
    expect(response.status).toBe(401)
  })

  test('with the next secret is valid', async ({ gateway }) => {
    expect(await send(gateway, callback(), { secret: 'a secret of tomorrow' })).toMatchObject({ status: 200 })
  })
})

describe('a callback with', () => {
  const item = (changes: object) => ({ items: [{ product_id: 'lamp', quantity: 1, unit_price: 1, ...changes }] })
  test.for<[string, object, string]>([
    ['negative money', item({ unit_price: -1 }), 'items.0.unit_price'],
    ['fractional money', item({ unit_price: 0.5 }), 'items.0.unit_price'],
    ['huge money', item({ unit_price: 1e15 }), 'items.0.unit_price'],
    ['items that come to too much', item({ unit_price: 1e12, quantity: 11 }), 'items'],
    ['no money', item({ unit_price: undefined }), 'items.0.unit_price'],
    ['quantity 0', item({ quantity: 0 }), 'items.0.quantity'],
    ['an unknown currency', { currency: 'EUX' }, 'currency'],
    ['a currency in small letters', { currency: 'eur' }, 'currency'],
    ['an unknown status', { status: 'paid' }, 'status'],
    ['no items', { items: [] }, 'items'],
    ['a provider that is no slug', { provider: 'Acme Pay' }, 'provider'],
    ['an unknown field', { note: 'x' }, 'note'],
  ])('%s is a 400 that names the field', async ([_name, changes, field], { gateway }) => {
    const { status, error } = await send(gateway, { ...callback(), ...changes })
    expect([status, error!.code]).toEqual([400, 'invalid_request'])
    expect(error!.message.split(': ')[0]).toBe(field)
  })

  test('a time that is too far in the future is a 503, so that its provider sends it again', async ({ db, gateway }) => {
    const early = callback({ occurred_at: new Date(Date.now() + 3_600_000).toISOString() })
    const { status, error } = await send(gateway, early)
    expect([status, error!.code]).toEqual([503, 'unavailable'])
    expect(error!.message).toMatch(/^occurred_at is .* in the future, more than 5 minutes; send the same callback again later$/)
    const { rows } = await sql`
      select from rejected_interaction where item like ${`%${early.callback_id}%`}`.execute(db)
    expect(rows).toEqual([])
  })
})

describe("a provider's own webhooks", () => {
  const intent = (type: string, object: object = {}) => ({
    ...{ id: `evt_${randomUUID()}`, type, created: 1_772_366_400 },
    data: { object: { id: 'pi_1', currency: 'eur', metadata: { order_id: 'stripe-1', items: ITEMS }, ...object } },
  })
  const ITEMS = JSON.stringify([{ product_id: 'lamp', seller_id: 'north', quantity: 2, unit_price: 500 }])
  const stripe = (gateway: TestGateway, event: unknown, secret = STRIPE_SECRETS[0]!) =>
    send(gateway, event, { path: '/stripe', name: 'stripe-signature', secret })

  test('pass the adapter in the text of the documentation', async ({ db, gateway }) => {
    const acme = (type: string, items?: object[]) => ({
      ...{ id: `acme-${type}-${items?.length}`, type, created: '2026-03-01T12:00:00Z' },
      payment: { id: 'acme-pay-1', order: 'acme-1', currency: 'EUR', items },
    })
    const sendTo = (webhook: unknown) =>
      send(gateway, webhook, { path: '/acme', name: 'acme-signature', secret: STRIPE_SECRETS[0]! })
    const items = [{ product_id: 'lamp', seller_id: 'north', quantity: 2, unit_price: 500 }]
    expect(await sendTo(acme('paid', items))).toMatchObject({ status: 200, data: { accepted: 1 } })
    expect(await sendTo(acme('closed', items))).toMatchObject({ status: 200, data: { accepted: 0, rejected: [] } })
    expect(await sendTo(acme('paid'))).toMatchObject({
      status: 400,
      error: { message: 'the adapter of acme: payment acme-pay-1 does not say what of' },
    })
    expect(await linesOf(db, 'acme-1')).toEqual(['lamp 2 1000 1'])
    const { rows } = await sql<{ line: string }>`
      select concat_ws(' ', code, message) as line from rejected_interaction
      where kind = 'webhook' and item like '%"provider":"acme"%' order by batch_id`.execute(db)
    expect(rows.map(({ line }) => line)).toEqual([
      'ignored closed is of no interest',
      'refused the adapter of acme: payment acme-pay-1 does not say what of',
    ])
  })

  test('pass the Stripe adapter, including refunds and old secrets', async ({ db, gateway }) => {
    expect(await stripe(gateway, intent('payment_intent.succeeded'))).toMatchObject({ status: 200, data: { accepted: 1 } })
    const refund = {
      id: 're_1',
      payment_intent: 'pi_1',
      status: 'pending',
      metadata: { items: '[{"product_id":"lamp","quantity":1}]' },
    }
    expect(await stripe(gateway, intent('refund.created', refund))).toMatchObject({ data: { accepted: 0 } })
    const succeeded = { ...refund, status: 'succeeded' }
    expect(await stripe(gateway, intent('refund.updated', succeeded), STRIPE_SECRETS[1])).toMatchObject({
      data: { accepted: 1, rejected: [] },
    })
    expect(await stripe(gateway, intent('refund.updated', succeeded))).toMatchObject({ data: { duplicates: 1 } })
    expect(await linesOf(db, 'stripe-1')).toEqual(['lamp 2 1000 1', 'lamp -1 -500 0'])
    const whole = { ...succeeded, id: 're_2', metadata: { whole: 'yes' } }
    expect(await stripe(gateway, intent('refund.created', whole))).toMatchObject({ data: { accepted: 1 } })
    expect(await linesOf(db, 'stripe-1')).toEqual(['lamp 2 1000 1', 'lamp -1 -500 0', 'lamp -1 -500 -1'])
  })

  test("are refused for a wrong signature, an unknown provider, or an adapter's invalid callback", async ({ gateway }) => {
    expect(await stripe(gateway, intent('payment_intent.succeeded'), 'whsec_of_somebody_else')).toMatchObject({ status: 401 })
    expect(await send(gateway, {}, { path: '/nobody' })).toMatchObject({ status: 404 })
    const wrong = await stripe(gateway, intent('payment_intent.succeeded', { currency: 'xxy' }))
    expect(wrong).toMatchObject({ status: 400, error: { details: [{ field: '0.currency' }] } })
    const unknown = [{ ...callback(), nonsense: 1 }]
    const sum = `sum ${JSON.stringify(unknown).length}`
    expect(await send(gateway, unknown, { path: '/own-way', name: 'x-own', header: sum })).toMatchObject({
      status: 400,
      error: { details: [{ field: '0.nonsense', message: 'is not a known field' }] },
    })
    const unsaid = { metadata: { order_id: 'stripe-2', items: '[' } }
    const { status, error } = await stripe(gateway, intent('payment_intent.succeeded', unsaid))
    expect([status, error!.message]).toEqual([400, 'the adapter of stripe: the items in the metadata of pi_1 are not JSON'])
  })

  test('that are refused are kept once, however often they come', async ({ db, gateway }) => {
    const webhook = intent('payment_intent.succeeded', { metadata: { order_id: 'stripe-3', items: '[' } })
    for (let time = 0; time < 3; time++) expect((await stripe(gateway, webhook)).status).toBe(400)
    const { rows } = await sql<{ item: string }>`
      select item from rejected_interaction where kind = 'webhook' and item like ${`%${webhook.id}%`}`.execute(db)
    expect(rows.map(({ item }) => JSON.parse(item) as unknown)).toEqual([
      { provider: 'stripe', content_type: 'application/json', headers: {}, form: 'json', body: webhook },
    ])
    expect((await verify(db)).drift).toEqual([])
  })

  test("may be ignored or make several callbacks, with the provider's own signature", async ({ gateway }) => {
    expect(await stripe(gateway, intent('customer.created'))).toMatchObject({ status: 200, data: { accepted: 0, rejected: [] } })
    const { provider: _, ...one } = callback()
    const { provider: __, ...other } = callback()
    const given = [one, one, other]
    const header = `sum ${JSON.stringify(given).length}`
    expect(await send(gateway, given, { path: '/own-way', name: 'x-own', header })).toMatchObject({
      data: { accepted: 2, duplicates: 1, duplicate_indexes: [1] },
    })
    expect(await send(gateway, given, { path: '/own-way', name: 'x-own', header: 'sum 1' })).toMatchObject({ status: 401 })
  })
})

test.each([
  ['nothing of the sort', 'export const adapter = 1', /not an adapter/],
  ['no callbacksOf', "export default { provider: 'a', secrets: ['0123456789abcdef'] }", /callbacksOf must be a function/],
  ['a short secret', "export default { provider: 'a', secrets: ['x'], callbacksOf() {} }", /secrets/],
  ['nothing to know it by', "export default { provider: 'a', callbacksOf() {} }", /secrets, or isSigned/],
  ['a mistake', 'export default nonsense', /cannot be loaded/],
  ['an error without a message', 'throw undefined', /cannot be loaded: undefined was thrown/],
])('an adapter module with %s fails with a sentence that names the module', async (_name, code, message) => {
  const file = moduleOf(code)
  await expect(adaptersOf(file)).rejects.toThrow(message)
  await expect(adaptersOf(file)).rejects.toThrow(file)
})
