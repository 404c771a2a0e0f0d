import { createHmac } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { PaymentAdapter } from '../../src/contract/payment-adapter.ts'
import { mapWebhook, type NotMapped } from '../../src/gateway/recording/map-webhook.ts'
import { requireAdapterSignature } from '../../src/gateway/recording/payment-webhook.ts'
import { Config } from '../../src/main/config/config.ts'
import { paymentAdaptersOf } from '../../src/main/config/payments.ts'

/*
 * The adapters of docs/adapters, with webhooks in the documented form of their providers.
 */

const STRIPE_SECRETS = ['whsec_the_new_one_of_stripe', 'whsec_the_old_one_of_stripe']
const SHOPIFY_SECRETS = ['the client secret of the app', 'the one before it']
const ADYEN_KEYS = ['44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056', 'ab'.repeat(32)]

/** What other systems answer, by address. */
let answers: Record<string, unknown> = {}
let asked: { url: string; headers: Record<string, string> }[] = []

beforeEach(() => {
  vi.stubEnv('STRIPE_WEBHOOK_SECRETS', STRIPE_SECRETS.join(','))
  vi.stubEnv('STRIPE_API_KEY', 'rk_test')
  vi.stubEnv('SHOPIFY_WEBHOOK_SECRETS', SHOPIFY_SECRETS.join(','))
  vi.stubEnv('ADYEN_HMAC_KEYS', ADYEN_KEYS.join(','))
  vi.stubEnv('ORDERS_URL', 'http://shop.example/orders')
  answers = {}
  asked = []
  vi.stubGlobal('fetch', async (url: URL | string, { headers = {} }: { headers?: Record<string, string> } = {}) => {
    asked.push({ url: String(url), headers })
    const answer = answers[String(url)]
    return answer === undefined ? new Response('{}', { status: 404 }) : Response.json(answer)
  })
})
afterEach(() => {
  vi.unstubAllEnvs()
  vi.unstubAllGlobals()
})

async function adapterOf(provider: string): Promise<PaymentAdapter> {
  const [adapter] = await paymentAdaptersOf(Config.parse({ PAYMENT_ADAPTERS: `docs/adapters/${provider}.js` }))
  return adapter!
}

async function mapped(provider: string, body: unknown, headers: Record<string, string> = {}) {
  const json = typeof body === 'string' ? body : JSON.stringify(body)
  return mapWebhook(await adapterOf(provider), { body: Buffer.from(json), context: { contentType: 'application/json', headers } })
}

/** The only callback of a webhook, without its provider. */
async function callbackOf(...given: Parameters<typeof mapped>): Promise<unknown> {
  const made = await mapped(...given)
  if (!('callbacks' in made)) return made
  expect(made.callbacks).toHaveLength(1)
  const { provider, ...callback } = made.callbacks[0] as { provider: string }
  expect(provider).toBe(given[0])
  return callback
}

const ignored = (message: string): NotMapped => ({ code: 'ignored', message })
const refused = (provider: string, message: string) =>
  expect.objectContaining({ code: 'refused', message: `the adapter of ${provider}: ${message}` })

async function isSigned(provider: string, headers: Record<string, string>, body: string | Buffer): Promise<boolean> {
  return requireAdapterSignature(await adapterOf(provider), headers, Buffer.from(body)).then(
    () => true,
    () => false,
  )
}

const ITEMS = [{ product_id: 'lamp', quantity: 2, unit_price: 500 }]
const AT = '2026-03-01T12:00:00.000Z'
const SECONDS = Date.parse(AT) / 1_000

describe('stripe', () => {
  const METADATA = { order_id: 'o-1', items: JSON.stringify(ITEMS) }
  const event = (type: string, object: object, more: object = {}) => ({
    ...{ id: 'evt_1', object: 'event', type, created: SECONDS, livemode: true, data: { object } },
    ...more,
  })
  const intent = (changes: object = {}) => ({
    ...{ id: 'pi_1', object: 'payment_intent', amount: 1_000, currency: 'eur', metadata: METADATA },
    ...changes,
  })
  const refund = (changes: object = {}) => ({
    ...{ id: 're_1', object: 'refund', amount: 1_000, currency: 'eur', charge: 'ch_1', payment_intent: 'pi_1' },
    ...{ status: 'succeeded', metadata: {}, reason: null },
    ...changes,
  })
  const dispute = (changes: object = {}) => ({
    ...{ id: 'du_1', object: 'dispute', amount: 1_000, currency: 'eur', charge: 'ch_1', payment_intent: 'pi_1' },
    ...{ status: 'needs_response', metadata: {}, reason: 'fraudulent' },
    ...changes,
  })
  const TAKEN_BACK = { payment_ref: 'pi_1', order_id: 'o-1', status: 'refunded', currency: 'EUR', occurred_at: AT }
  const INTENT_URL = 'https://api.stripe.com/v1/payment_intents/pi_1?expand[]=latest_charge'

  /** What Stripe's API says of the payment, the refund and the dispute. */
  const stripeSays = ({ refunded = 0, metadata = METADATA as object, own = {} }) => {
    const charge = { id: 'ch_1', amount_captured: 1_000, amount_refunded: refunded }
    answers[INTENT_URL] = intent({ metadata, latest_charge: charge })
    answers['https://api.stripe.com/v1/refunds/re_1'] = refund({ metadata: own })
    answers['https://api.stripe.com/v1/disputes/du_1'] = dispute({ metadata: own })
  }

  test.each([
    ['payment_intent.processing', 'pending'],
    ['payment_intent.succeeded', 'success'],
    ['payment_intent.payment_failed', 'failed'],
    ['payment_intent.canceled', 'cancelled'],
  ])('%s is %s', async (type, status) => {
    expect(await callbackOf('stripe', event(type, intent()))).toEqual({
      ...{ callback_id: 'evt_1', payment_ref: 'pi_1', order_id: 'o-1', status, currency: 'EUR', occurred_at: AT },
      items: ITEMS,
    })
    expect(asked).toEqual([])
  })

  test.each<[string, object, unknown]>([
    [
      'a payment of another shop of the account',
      intent({ metadata: {} }),
      'pi_1 is not of this shop: its metadata has no order_id',
    ],
    ['a payment of a subscription', intent({ metadata: null }), 'pi_1 is not of this shop: its metadata has no order_id'],
  ])('%s is ignored', async (_name, object, message) => {
    expect(await mapped('stripe', event('payment_intent.succeeded', object))).toEqual(ignored(String(message)))
  })

  test.each([
    ['no items', { order_id: 'o-1' }, 'callback 0.items must name the items that were sold'],
    ['items that are not JSON', { order_id: 'o-1', items: '[{' }, 'the items in the metadata of pi_1 are not JSON'],
    [
      'items without a price',
      { order_id: 'o-1', items: '[{"product_id":"a","quantity":1}]' },
      'callback 0.items.0.unit_price is needed',
    ],
  ])('a payment of the shop with %s is refused', async (_name, metadata, message) => {
    const made = await mapped('stripe', event('payment_intent.succeeded', intent({ metadata })))
    expect(made).toEqual(refused('stripe', message))
  })

  test.each<[string, string, object, object[]]>([
    ['with items', 'refund.created', { items: '[{"product_id":"lamp","quantity":1}]' }, [{ product_id: 'lamp', quantity: 1 }]],
    ['of the whole payment', 'refund.updated', { whole: 'yes' }, []],
  ])('a refund %s in its metadata needs no question', async (_name, type, metadata, items) => {
    const made = await callbackOf('stripe', event(type, refund({ metadata: { order_id: 'o-1', ...metadata } })))
    expect(made).toEqual({ ...TAKEN_BACK, callback_id: 're_1', items })
    expect(asked).toEqual([])
  })

  test('a refund of the dashboard that leaves nothing is of the whole payment', async () => {
    stripeSays({ refunded: 1_000 })
    const made = await callbackOf('stripe', event('refund.created', refund({ metadata: null }), { account: 'acct_1' }))
    expect(made).toEqual({ ...TAKEN_BACK, callback_id: 're_1', items: [] })
    expect(asked[0]).toEqual({ url: INTENT_URL, headers: { authorization: 'Bearer rk_test', 'stripe-account': 'acct_1' } })
  })

  test('a refund of the dashboard of a part is refused, until its metadata says what of', async () => {
    stripeSays({ refunded: 400 })
    const webhook = event('refund.created', refund({ amount: 400 }))
    expect(await mapped('stripe', webhook)).toEqual(
      refused('stripe', 'refund re_1 does not say what of: add items to its metadata'),
    )
    stripeSays({ refunded: 400, own: { items: '[{"product_id":"lamp","quantity":1,"unit_price":400}]' } })
    expect(await callbackOf('stripe', webhook)).toEqual({
      ...{ ...TAKEN_BACK, callback_id: 're_1' },
      items: [{ product_id: 'lamp', quantity: 1, unit_price: 400 }],
    })
  })

  test.each<[string, unknown, string]>([
    ['a refund that is pending', event('refund.created', refund({ status: 'pending' })), 'refund re_1 is pending'],
    [
      'a refund that needs an action',
      event('refund.updated', refund({ status: 'requires_action' })),
      'refund re_1 is requires_action',
    ],
    [
      'a refund without an intent',
      event('refund.created', refund({ payment_intent: null })),
      're_1 is of a payment without an intent',
    ],
    ['the older event of a refund', event('charge.refunded', { id: 'ch_1' }), 'charge.refunded is of no interest'],
    ['an opened dispute', event('charge.dispute.created', dispute()), 'charge.dispute.created is of no interest'],
    ['a closed dispute', event('charge.dispute.closed', dispute({ status: 'won' })), 'charge.dispute.closed is of no interest'],
    ['a customer', event('customer.created', { id: 'cus_1' }), 'customer.created is of no interest'],
    ['a name of every object', event('toString', {}), 'toString is of no interest'],
  ])('%s is ignored', async (_name, webhook, message) => {
    expect(await mapped('stripe', webhook)).toEqual(ignored(message))
    expect(asked).toEqual([])
  })

  test.each([
    ['refund.created', refund(), 're_1'],
    ['charge.dispute.funds_withdrawn', dispute(), 'du_1'],
  ])('%s of a payment of another shop is ignored', async (type, object, id) => {
    stripeSays({ metadata: { ignored: 'of us' }, refunded: 1_000 })
    expect(await mapped('stripe', event(type, object))).toEqual(ignored(`${id} is of pi_1, which is not of this shop`))
  })

  test.each([
    ['refund.failed', refund({ status: 'failed' }), 're_1', 'failed'],
    ['refund.updated', refund({ status: 'canceled' }), 're_1', 'failed'],
    ['charge.dispute.funds_reinstated', dispute({ status: 'won' }), 'du_1', 'success'],
  ])('%s gives back what was taken back', async (type, object, id, status) => {
    stripeSays({ refunded: 400 })
    expect(await callbackOf('stripe', event(type, object))).toEqual({
      ...{ ...TAKEN_BACK, callback_id: `${id}-reversed`, reverses: id, status },
    })
  })

  test('a failed refund of another shop is ignored', async () => {
    stripeSays({ metadata: {} })
    expect(await mapped('stripe', event('refund.failed', refund({ status: 'failed' })))).toEqual(
      ignored('re_1 is of pi_1, which is not of this shop'),
    )
  })

  test.each([
    [1_000, 0],
    [600, 400],
  ])('a dispute of %i, after refunds of %i, takes back all that is left of 1000', async (amount, refunded) => {
    stripeSays({ refunded })
    expect(await callbackOf('stripe', event('charge.dispute.funds_withdrawn', dispute({ amount })))).toEqual({
      ...{ ...TAKEN_BACK, callback_id: 'du_1', items: [] },
    })
  })

  test('a dispute of a part is refused', async () => {
    stripeSays({})
    expect(await mapped('stripe', event('charge.dispute.funds_withdrawn', dispute({ amount: 400 })))).toEqual(
      refused('stripe', 'dispute du_1 does not say what of: add items to its metadata'),
    )
  })

  test('an answer of Stripe other than 200 refuses the webhook', async () => {
    expect(await mapped('stripe', event('refund.created', refund()))).toEqual(
      refused('stripe', 'Stripe answered 404 for /v1/payment_intents/pi_1'),
    )
  })

  describe('a thin event', () => {
    const thin = (type: string, url = '/v1/payment_intents/pi_1', more: object = {}) => ({
      ...{ id: 'evt_65', object: 'v2.core.event', type, livemode: true, created: '2026-03-01T12:00:00.000Z' },
      related_object: { id: 'x', type: 'payment_intent', url },
      ...more,
    })

    test('of a payment is mapped from the object that it names', async () => {
      answers['https://api.stripe.com/v1/payment_intents/pi_1'] = intent()
      const made = await callbackOf('stripe', thin('v1.payment_intent.succeeded', undefined, { context: 'acct_2' }))
      expect(made).toMatchObject({ callback_id: 'evt_65', payment_ref: 'pi_1', status: 'success', occurred_at: AT, items: ITEMS })
      expect(asked[0]!.headers).toMatchObject({ 'stripe-account': 'acct_2' })
    })

    test('of a refund counts under the id of the refund, as its other events', async () => {
      answers['https://api.stripe.com/v1/refunds/re_1'] = refund({ metadata: { order_id: 'o-1', whole: 'yes' } })
      const made = await callbackOf('stripe', thin('v1.refund.updated', '/v1/refunds/re_1'))
      expect(made).toEqual({ ...TAKEN_BACK, callback_id: 're_1', items: [] })
    })

    test.each(['v1.billing.meter.error_report_triggered', 'v2.core.account.closed'])('%s is ignored', async (type) => {
      expect(await mapped('stripe', thin(type))).toEqual(ignored(`${type.replace('v1.', '')} is of no interest`))
      expect(asked).toEqual([])
    })

    test.each(['https://evil.example/v1/refunds/re_1', '//evil.example/v1/x', '/v2/core/events'])(
      'does not make the adapter ask %s',
      async (url) => {
        expect(await mapped('stripe', thin('v1.refund.created', url))).toEqual(
          refused('stripe', `${url} is no address of Stripe's API`),
        )
        expect(asked).toEqual([])
      },
    )
  })

  test('is signed by the time and the body with one of the secrets', async () => {
    const body = '{"id":"evt_1"}'
    const header = (secret: string, seconds = Math.floor(Date.now() / 1_000)) => ({
      'stripe-signature': `t=${seconds},v1=${createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex')},v0=00`,
    })
    expect(await isSigned('stripe', header(STRIPE_SECRETS[0]!), body)).toBe(true)
    expect(await isSigned('stripe', header(STRIPE_SECRETS[1]!), body)).toBe(true)
    expect(await isSigned('stripe', header('whsec_of_another_account'), body)).toBe(false)
    expect(await isSigned('stripe', header(STRIPE_SECRETS[0]!), `${body} `)).toBe(false)
    expect(await isSigned('stripe', header(STRIPE_SECRETS[0]!, 1_772_366_400), body)).toBe(false)
  })
})

describe('shopify', () => {
  const headers = (topic: string) => ({ 'x-shopify-topic': topic, 'x-shopify-triggered-at': '2026-03-01T12:00:00.123456789Z' })
  const money = (amount: string, currency = 'EUR') => ({ shop_money: { amount, currency_code: currency } })
  const line = (changes: object = {}) => ({
    ...{ id: 11, product_id: 632910392, variant_id: 808950810, quantity: 1, current_quantity: 1, price: '199.00' },
    ...{ total_discount: '0.00', discount_allocations: [], tax_lines: [], gift_card: false, vendor: 'north' },
    ...changes,
  })
  const order = (changes: object = {}) => ({
    ...{ id: 5324830114101, admin_graphql_api_id: 'gid://shopify/Order/5324830114101', test: false },
    ...{ currency: 'EUR', presentment_currency: 'USD', financial_status: 'paid', taxes_included: true },
    ...{ processed_at: '2026-03-01T12:59:00+01:00', customer: { id: 115310627 }, line_items: [line()] },
    ...changes,
  })
  const paid = (changes: object = {}) => callbackOf('shopify', order(changes), headers('orders/paid'))
  const itemsOf = async (changes: object) => ((await paid({ line_items: [line(changes)] })) as { items: unknown }).items
  const ID = '632910392'

  test('a paid order is a sale of its lines', async () => {
    expect(await paid()).toEqual({
      ...{ callback_id: 'paid-5324830114101', payment_ref: '5324830114101', order_id: '5324830114101' },
      ...{ status: 'success', currency: 'EUR', occurred_at: '2026-03-01T12:00:00.123Z', account_id: '115310627' },
      items: [{ product_id: ID, quantity: 1, unit_price: 19_900 }],
    })
  })

  test.each<[string, object, string, unknown]>([
    ['a guest', { customer: null }, 'account_id', undefined],
    ['the time of the order without a header', {}, 'occurred_at', '2026-03-01T11:59:00.000Z'],
  ])('%s', async (name, changes, field, value) => {
    const shown = name.startsWith('the time') ? { 'x-shopify-topic': 'orders/paid' } : headers('orders/paid')
    expect(((await callbackOf('shopify', order(changes), shown)) as Record<string, unknown>)[field]).toEqual(value)
  })

  test.each<[string, object, object[]]>([
    ['several of one price', { quantity: 3, current_quantity: 3 }, [{ quantity: 3, unit_price: 19_900 }]],
    [
      'a discount of the line, which no unit price divides',
      { quantity: 3, current_quantity: 3, price: '10.00', discount_allocations: [{ amount: '1.00' }] },
      [
        { quantity: 1, unit_price: 966 },
        { quantity: 2, unit_price: 967 },
      ],
    ],
    [
      'several discounts',
      { discount_allocations: [{ amount: '99.00' }, { amount: '0.01' }] },
      [{ quantity: 1, unit_price: 9_999 }],
    ],
    ['a free product', { price: '0.00' }, [{ quantity: 1, unit_price: 0 }]],
    ['what was removed before it was paid', { quantity: 3, current_quantity: 2 }, [{ quantity: 2, unit_price: 19_900 }]],
    ['no current quantity', { quantity: 2, current_quantity: undefined }, [{ quantity: 2, unit_price: 19_900 }]],
  ])('a line with %s', async (_name, changes, items) => {
    expect(await itemsOf(changes)).toEqual(items.map((item) => ({ product_id: ID, ...item })))
  })

  test.each([
    ['JPY', '1990', 1_990],
    ['JPY', '1990.00', 1_990],
    ['KWD', '1.234', 1_234],
    ['HUF', '1990.00', 199_000],
    ['IDR', '250000', 25_000_000],
    ['IQD', '1500.5', 1_500_500],
    ['USD', '0.1', 10],
  ])('an amount in %s is %s', async (currency, price, unit_price) => {
    expect(await paid({ currency, line_items: [line({ price })] })).toMatchObject({ items: [{ unit_price }] })
  })

  test.each<[string, object, string]>([
    ['a fraction that the currency does not have', { line_items: [line({ price: '1.999' })] }, '1.999 is no amount in EUR'],
    ['an amount that is none', { line_items: [line({ price: '1,99' })] }, '1,99 is no amount in EUR'],
    ['an id beyond 2^53', { id: 2 ** 60 }, 'the id 1152921504606847000 is not exact'],
    ['no lines', { line_items: undefined }, 'this is no order: it has no line_items'],
  ])('an order with %s is refused', async (_name, changes, message) => {
    expect(await mapped('shopify', order(changes), headers('orders/paid'))).toEqual(refused('shopify', message))
  })

  const lamp = { product_id: ID, quantity: 1, unit_price: 1_000 }
  const custom = line({ product_id: null, title: 'Engraving', price: '30.00' })
  const cheap = line({ price: '10.00' })
  const charge = (name: string, unit_price: number) => ({ name, quantity: 1, unit_price })

  test.each<[string, object, object[]]>([
    [
      'shipping and a line without a product',
      { line_items: [cheap, custom], shipping_lines: [{ price: '5.00', discount_allocations: [] }], total_price: '45.00' },
      [lamp, charge('Engraving', 3_000), charge('shipping', 500)],
    ],
    ['only a line without a product', { line_items: [custom], total_price: '30.00' }, [charge('Engraving', 3_000)]],
    [
      'a discount of shipping, and shipping that was removed',
      {
        line_items: [cheap],
        shipping_lines: [
          { price: '5.00', discount_allocations: [{ amount: '2.00' }] },
          { price: '9.00', is_removed: true },
        ],
      },
      [lamp, charge('shipping', 300)],
    ],
    [
      'taxes that are not in its prices',
      { line_items: [cheap], taxes_included: false, total_tax: '1.90', total_price: '11.90' },
      [lamp, charge('taxes', 190)],
    ],
    ['taxes that are in its prices', { line_items: [cheap], total_tax: '1.60', total_price: '10.00' }, [lamp]],
    ['duties', { line_items: [cheap], total_price: '13.00' }, [lamp, charge('other charges', 300)]],
    ['less than its lines come to', { line_items: [cheap], total_price: '9.00' }, [lamp, charge('other discounts', -100)]],
    [
      'a part that was removed before it was paid',
      { line_items: [{ ...cheap, quantity: 2 }], total_price: '20.00', current_total_price: '10.00' },
      [lamp],
    ],
  ])('an order with %s comes to its total', async (_name, changes, items) => {
    expect(await paid(changes)).toMatchObject({ items })
    expect(((await paid(changes)) as { items: object[] }).items).toHaveLength(items.length)
  })

  test.each<[string, unknown, string, string]>([
    ['a test order', order({ test: true }), 'orders/paid', 'order 5324830114101 is a test'],
    [
      'an order that comes to nothing',
      order({ line_items: [line({ product_id: null, price: '0.00' })] }),
      'orders/paid',
      'order 5324830114101 has nothing that costs anything',
    ],
    ['another topic', order(), 'orders/create', 'orders/create is of no interest'],
  ])('%s is ignored', async (_name, body, topic, message) => {
    expect(await mapped('shopify', body, headers(topic))).toEqual(ignored(message))
  })

  const transaction = (changes: object = {}) => ({
    ...{ id: 7, order_id: 5324830114101, kind: 'refund', status: 'success', amount: '199.00', currency: 'USD', test: false },
    ...changes,
  })
  const refundLine = (changes: object = {}) => ({
    ...{ id: 9, line_item_id: 11, quantity: 1, subtotal: '199.00', subtotal_set: money('199.00'), total_tax: '0.00' },
    line_item: line(),
    ...changes,
  })
  const refund = (changes: object = {}) => ({
    ...{ id: 929361463, order_id: 5324830114101, created_at: '2026-03-02T12:00:00Z', processed_at: '2026-03-02T12:00:00Z' },
    ...{ refund_line_items: [refundLine()], transactions: [transaction()], order_adjustments: [] },
    ...changes,
  })

  test('a refund takes back its lines, for the price that was paid', async () => {
    expect(await callbackOf('shopify', refund(), headers('refunds/create'))).toEqual({
      ...{ callback_id: 'refund-929361463', payment_ref: '5324830114101', order_id: '5324830114101' },
      ...{ status: 'refunded', currency: 'EUR', occurred_at: '2026-03-01T12:00:00.123Z' },
      items: [{ product_id: ID, quantity: 1 }],
    })
  })

  const inEuros = (amount: string) => [transaction({ amount, currency: 'EUR' })]
  const ten = (changes: object = {}) => refundLine({ subtotal: '10.00', line_item: cheap, ...changes })
  const shippingRefund = { kind: 'shipping_refund', amount: '-5.00', tax_amount: '0.00', amount_set: money('-5.00') }
  const TAXED = { total_tax: '1.90', line_item: { ...cheap, tax_lines: [{ rate: 0.19, price: '1.90' }] } }

  test.each<[string, object, object[]]>([
    [
      'a part of the price of its line',
      {
        refund_line_items: [ten()],
        transactions: inEuros('5.00'),
        order_adjustments: [{ kind: 'refund_discrepancy', amount: '5.00' }],
      },
      [{ product_id: ID, quantity: 1, unit_price: 500 }],
    ],
    [
      'a part, in another currency than that of the shop',
      { refund_line_items: [ten()], order_adjustments: [{ kind: 'refund_discrepancy', amount: '5.00' }] },
      [{ product_id: ID, quantity: 1, unit_price: 500 }],
    ],
    [
      'a part of the price of several',
      { refund_line_items: [ten({ quantity: 3, subtotal: '30.00' })], transactions: inEuros('29.99') },
      [
        { product_id: ID, quantity: 1, unit_price: 999 },
        { product_id: ID, quantity: 2, unit_price: 1_000 },
      ],
    ],
    [
      'nothing of one of two lines',
      {
        refund_line_items: [ten(), ten({ line_item: { ...cheap, product_id: 2 }, subtotal: '20.00', quantity: 2 })],
        transactions: inEuros('20.00'),
      },
      [
        { product_id: ID, quantity: 1, unit_price: 0 },
        { product_id: '2', quantity: 2 },
      ],
    ],
    [
      'shipping alone',
      { refund_line_items: [], transactions: inEuros('5.00'), order_adjustments: [shippingRefund] },
      [charge('shipping', 500)],
    ],
    [
      'a line and shipping',
      { refund_line_items: [ten()], transactions: inEuros('15.00'), order_adjustments: [shippingRefund] },
      [{ product_id: ID, quantity: 1 }, charge('shipping', 500)],
    ],
    [
      'a line that is no product',
      { refund_line_items: [ten({ line_item: custom, subtotal: '30.00' })], transactions: inEuros('30.00') },
      [charge('Engraving', 3_000)],
    ],
    [
      'taxes that are not in the price',
      { refund_line_items: [ten(TAXED)], transactions: inEuros('11.90') },
      [{ product_id: ID, quantity: 1 }, charge('taxes', 190)],
    ],
    [
      'taxes that are in the price',
      { refund_line_items: [ten({ ...TAXED, total_tax: '1.60' })], transactions: inEuros('10.00') },
      [{ product_id: ID, quantity: 1 }],
    ],
    [
      'more than its line',
      { refund_line_items: [ten()], transactions: inEuros('12.00') },
      [
        { product_id: ID, quantity: 1 },
        { quantity: 1, unit_price: 200 },
      ],
    ],
    [
      'a line of which nothing is left in the order',
      { refund_line_items: [ten({ line_item: { ...cheap, current_quantity: 0 } })], transactions: inEuros('10.00') },
      [{ product_id: ID, quantity: 1 }],
    ],
  ])('a refund of %s gives back the money that was moved', async (_name, changes, items) => {
    expect(((await callbackOf('shopify', refund(changes), headers('refunds/create'))) as { items: object[] }).items).toEqual(
      items,
    )
  })

  test('a refund that its bank has not confirmed counts, because it is not told again', async () => {
    const made = await callbackOf(
      'shopify',
      refund({ transactions: [transaction({ status: 'pending' })] }),
      headers('refunds/create'),
    )
    expect(made).toMatchObject({ status: 'refunded' })
  })

  test.each<[string, object, string]>([
    ['a restock', { transactions: [] }, 'refund 929361463 moves no money'],
    ['a refund that failed', { transactions: [transaction({ status: 'failure' })] }, 'refund 929361463 moves no money'],
    ['a test', { transactions: [transaction({ test: true })] }, 'refund 929361463 is a test'],
  ])('%s is ignored', async (_name, changes, message) => {
    expect(await mapped('shopify', refund(changes), headers('refunds/create'))).toEqual(ignored(message))
  })

  test('a refund of an amount is refused, and never one of the whole order', async () => {
    expect(await mapped('shopify', refund({ refund_line_items: [] }), headers('refunds/create'))).toEqual(
      refused('shopify', 'refund 929361463 is of an amount: which items it is for is not known'),
    )
  })

  test('an order that is sent as a refund, because headers are not signed, takes nothing back', async () => {
    expect(await mapped('shopify', order(), headers('refunds/create'))).toEqual(
      refused('shopify', 'this is no refund: it has no refund_line_items'),
    )
  })

  test('is signed by the base64 of the HMAC of the body with one of the secrets', async () => {
    const body = Buffer.from('{"id":1,"name":"caf\u00e9"}')
    const header = (secret: string) => ({ 'x-shopify-hmac-sha256': createHmac('sha256', secret).update(body).digest('base64') })
    expect(await isSigned('shopify', header(SHOPIFY_SECRETS[0]!), body)).toBe(true)
    expect(await isSigned('shopify', header(SHOPIFY_SECRETS[1]!), body)).toBe(true)
    expect(await isSigned('shopify', header('another'), body)).toBe(false)
    expect(await isSigned('shopify', header(SHOPIFY_SECRETS[0]!), Buffer.concat([body, Buffer.from(' ')]))).toBe(false)
    expect(await isSigned('shopify', { 'x-shopify-hmac-sha256': '' }, body)).toBe(false)
    expect(await isSigned('shopify', {}, body)).toBe(false)
  })
})

describe('adyen', () => {
  const item = (changes: object = {}) => ({
    ...{ eventCode: 'AUTHORISATION', success: 'true', pspReference: 'QFQTPCQ8HXSKGK82', merchantAccountCode: 'Shop' },
    ...{ merchantReference: 'o-1', amount: { value: 1_000, currency: 'EUR' }, eventDate: '2026-03-01T13:00:00+01:00' },
    ...{ paymentMethod: 'visa', reason: '033899:1111:03/2030', additionalData: {} },
    ...changes,
  })
  const modification = (eventCode: string, changes: object = {}) =>
    item({ eventCode, pspReference: 'MOD1', originalReference: 'QFQTPCQ8HXSKGK82', ...changes })
  const webhook = (...items: object[]) => ({
    live: 'true',
    notificationItems: items.map((each) => ({ NotificationRequestItem: each })),
  })
  const shopSays = (more: object = {}) => {
    answers['http://shop.example/orders/o-1'] = { order_id: 'o-1', total: 1_000, items: ITEMS, ...more }
  }
  const OF_PAYMENT = { payment_ref: 'QFQTPCQ8HXSKGK82', order_id: 'o-1', currency: 'EUR', occurred_at: AT }

  test.each([
    ['AUTHORISATION', 'true', 'success'],
    ['AUTHORISATION', 'false', 'failed'],
    ['PENDING', 'true', 'pending'],
  ])('%s %s is %s', async (eventCode, success, status) => {
    shopSays()
    expect(await callbackOf('adyen', webhook(item({ eventCode, success })))).toEqual({
      ...{ ...OF_PAYMENT, callback_id: `${eventCode}-${success}-QFQTPCQ8HXSKGK82`, status, items: ITEMS },
    })
  })

  test.each<[string, object, string, object[]]>([
    ['CANCELLATION', {}, 'cancelled', []],
    ['TECHNICAL_CANCEL', {}, 'cancelled', []],
    ['CAPTURE_FAILED', {}, 'failed', []],
    ['REFUND', {}, 'refunded', []],
    ['CANCEL_OR_REFUND', {}, 'refunded', []],
    ['CHARGEBACK', {}, 'refunded', []],
    ['SECOND_CHARGEBACK', {}, 'refunded', []],
    ['REFUND', { amount: { value: 500, currency: 'EUR' } }, 'refunded', [{ product_id: 'lamp', quantity: 1 }]],
  ])('%s with %j is %s', async (eventCode, changes, status, items) => {
    shopSays(items.length > 0 ? { refunds: { MOD1: items } } : {})
    expect(await callbackOf('adyen', webhook(modification(eventCode, changes)))).toEqual({
      ...{ ...OF_PAYMENT, callback_id: `${eventCode.replace('CANCEL_OR_', '')}-true-MOD1`, status, items },
    })
  })

  test('what takes back a part is refused while the shop does not say which items', async () => {
    shopSays()
    const part = webhook(modification('REFUND', { amount: { value: 400, currency: 'EUR' } }))
    expect(await mapped('adyen', part)).toEqual(
      refused('adyen', 'MOD1 takes back 400 of 1000 EUR: the shop does not say which items'),
    )
  })

  test.each<[string, object, string]>([
    ['a refund that failed at once', modification('REFUND', { success: 'false' }), 'REFUND false is of no interest'],
    ['a capture', modification('CAPTURE'), 'CAPTURE true is of no interest'],
    ['a report', item({ eventCode: 'REPORT_AVAILABLE', merchantReference: '' }), 'REPORT_AVAILABLE true is of no interest'],
    ['a payment of another shop', item({ merchantReference: 'x/1' }), 'x/1 is not of this shop'],
  ])('%s is ignored', async (_name, each, message) => {
    expect(await mapped('adyen', webhook(each))).toEqual(ignored(message))
  })

  test('asks the shop with the reference as one part of the address', async () => {
    await mapped('adyen', webhook(item({ merchantReference: 'x/../1' })))
    expect(asked.map(({ url }) => url)).toEqual(['http://shop.example/orders/x%2F..%2F1'])
  })

  test.each([
    ['REFUND_FAILED', 'REFUND', 'failed'],
    ['REFUNDED_REVERSED', 'REFUND', 'failed'],
    ['CHARGEBACK_REVERSED', 'CHARGEBACK', 'success'],
  ])('%s gives back what the %s took back', async (eventCode, of, status) => {
    shopSays()
    expect(await callbackOf('adyen', webhook(modification(eventCode)))).toEqual({
      ...{ ...OF_PAYMENT, callback_id: `${eventCode}-true-MOD1`, reverses: `${of}-true-MOD1`, status },
    })
  })

  test('several items are as many callbacks, without those of no interest', async () => {
    shopSays()
    const made = await mapped('adyen', webhook(item(), modification('CAPTURE'), modification('REFUND')))
    expect(made).toMatchObject({ callbacks: [{ status: 'success' }, { status: 'refunded' }] })
  })

  describe('is signed', () => {
    /** As documented, with the reference of a payment that has no original. */
    const signature = (each: ReturnType<typeof item> & { originalReference?: string }, key: string) => {
      const { pspReference, originalReference = '', merchantAccountCode, merchantReference, amount, eventCode, success } = each
      const signed = `${pspReference}:${originalReference}:${merchantAccountCode}:${merchantReference}:${amount.value}:${amount.currency}:${eventCode}:${success}`
      return createHmac('sha256', Buffer.from(key, 'hex')).update(signed).digest('base64')
    }
    const signed = (each: ReturnType<typeof item>, key = ADYEN_KEYS[0]!) => ({
      ...each,
      additionalData: { hmacSignature: signature(each, key) },
    })
    const check = (...items: object[]) => isSigned('adyen', {}, JSON.stringify(webhook(...items)))

    test('by eight fields of each item, with one of the keys', async () => {
      expect(await check(signed(item()))).toBe(true)
      expect(await check(signed(item(), ADYEN_KEYS[1]))).toBe(true)
      expect(await check(signed(modification('REFUND')))).toBe(true)
      expect(await check(signed(item(), 'cd'.repeat(32)))).toBe(false)
      expect(await check(signed(item()), item())).toBe(false)
      expect(await check()).toBe(false)
      expect(await check({ ...item(), additionalData: undefined })).toBe(false)
      expect(await isSigned('adyen', {}, 'not JSON')).toBe(false)
      expect(await isSigned('adyen', {}, '{}')).toBe(false)
    })

    test("as in the example of Adyen's documentation", async () => {
      const documented = {
        ...{ eventCode: 'AUTHORISATION', success: 'true', eventDate: '2019-05-06T17:15:34.121+02:00' },
        ...{ pspReference: '7914073381342284', merchantAccountCode: 'TestMerchant' },
        ...{ merchantReference: 'TestPayment-1407325143704', amount: { value: 1_130, currency: 'EUR' } },
        additionalData: { hmacSignature: 'coqCmt/IZ4E3CzPvMY8zTjQVL5hYJUiBRg8UU+iCWo0=' },
      }
      expect(await check(documented)).toBe(true)
    })

    test.each([
      ['pspReference', 'X'],
      ['originalReference', 'X'],
      ['merchantAccountCode', 'X'],
      ['merchantReference', 'X'],
      ['amount', { value: 1, currency: 'EUR' }],
      ['amount', { value: 1_000, currency: 'USD' }],
      ['eventCode', 'REFUND'],
      ['success', 'false'],
    ])('and not with another %s', async (field, value) => {
      expect(await check({ ...signed(item()), [field]: value })).toBe(false)
    })
  })
})
