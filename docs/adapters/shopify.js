/*
 * Shopify (https://shopify.dev/docs/apps/build/webhooks). It signs the body: X-Shopify-Hmac-SHA256 is the base64 of its HMAC-SHA256 with
 * the client secret of the app. The headers are not signed, so what a body is must also follow from the body.
 *
 * Topics to subscribe to: orders/paid, refunds/create. An order is one payment. Amounts are in the currency of the shop, after discounts,
 * and have taxes in them where the shop's prices do. Shipping, tips and other lines without a product are left out.
 */
import { createHmac, timingSafeEqual } from 'node:crypto'

// Two, with a comma, while the secret changes.
const SECRETS = (process.env.SHOPIFY_WEBHOOK_SECRETS ?? '').split(',')
if (SECRETS.some((secret) => secret.length < 16)) throw new Error('SHOPIFY_WEBHOOK_SECRETS needs the client secret of the app')

// ISO 4217. Intl is no source, because it has the decimals used in cash: 0 for HUF, IDR and COP, which have 2.
const WITHOUT_DECIMALS = new Set('BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF'.split(' '))
const WITH_3_DECIMALS = new Set('BHD IQD JOD KWD LYD OMR TND'.split(' '))

export default {
  provider: 'shopify',
  signatureHeader: 'x-shopify-hmac-sha256',
  headers: ['x-shopify-topic', 'x-shopify-triggered-at'],
  // Shopify sends a webhook 8 times in 4 hours, and then deletes a subscription that was made by the Admin API.
  acknowledgesRefused: true,
  isSigned({ headers, body }) {
    const shown = Buffer.from(String(headers['x-shopify-hmac-sha256']), 'base64')
    const expected = SECRETS.map((secret) => createHmac('sha256', secret).update(body).digest())
    return expected.map((digest) => shown.length === digest.length && timingSafeEqual(shown, digest)).includes(true)
  },
  callbacksOf(body, { headers }) {
    const topic = headers['x-shopify-topic']
    const at = headers['x-shopify-triggered-at']
    if (topic === 'orders/paid') return paidOrder(body, at)
    if (topic === 'refunds/create') return refund(body, at)
    return { ignored: `${topic} is of no interest` }
  },
}

function paidOrder(order, triggeredAt) {
  if (!Array.isArray(order.line_items)) throw new Error('this is no order: it has no line_items')
  if (order.test) return { ignored: `order ${order.id} is a test` }
  const items = order.line_items.filter(hasProduct).flatMap((line) => itemsOf(line, order.currency))
  if (items.length === 0) return { ignored: `order ${order.id} has no product` }
  const orderId = idText(order.id)
  return [
    {
      callback_id: `paid-${orderId}`,
      payment_ref: orderId,
      order_id: orderId,
      status: 'success',
      currency: order.currency,
      occurred_at: timeOf(triggeredAt ?? order.processed_at),
      ...(order.customer?.id && { account_id: idText(order.customer.id) }),
      items,
    },
  ]
}

/** The items of a line, whose units need not all cost the same: a discount is one of the line. */
function itemsOf({ product_id, quantity, current_quantity: left = quantity, price, discount_allocations = [] }, currency) {
  const discount = discount_allocations.reduce((sum, { amount }) => sum + minorUnits(amount, currency), 0)
  const amount = Math.round(((minorUnits(price, currency) * quantity - discount) * left) / quantity)
  const unit_price = Math.floor(amount / left)
  const dearer = amount - unit_price * left
  return [
    { product_id: idText(product_id), quantity: left - dearer, unit_price },
    { product_id: idText(product_id), quantity: dearer, unit_price: unit_price + 1 },
  ].filter((item) => item.quantity > 0)
}

function refund({ id, order_id, refund_line_items: lines, transactions = [], order_adjustments = [], ...refunded }, triggeredAt) {
  if (!Array.isArray(lines)) throw new Error('this is no refund: it has no refund_line_items')
  // A pending one is not told again when it has succeeded.
  const paid = transactions.filter(({ kind, status }) => kind === 'refund' && (status === 'success' || status === 'pending'))
  if (transactions.some(({ test }) => test)) return { ignored: `refund ${id} is a test` }
  if (paid.length === 0) return { ignored: `refund ${id} moves no money` }
  const items = lines
    .filter(({ line_item }) => hasProduct(line_item))
    // Without a price it is taken back for the price that was paid.
    .map(({ line_item, quantity }) => ({ product_id: idText(line_item.product_id), quantity }))
  // A refund without items would be one of all that is left.
  if (items.length === 0) {
    const isOfOther = lines.length > 0 || order_adjustments.some(({ kind }) => kind === 'shipping_refund')
    if (isOfOther) return { ignored: `refund ${id} is of no product` }
    throw new Error(`refund ${id} is of an amount: which items it is for is not known`)
  }
  return [
    {
      callback_id: `refund-${idText(id)}`,
      payment_ref: idText(order_id),
      order_id: idText(order_id),
      status: 'refunded',
      currency: lines[0].subtotal_set?.shop_money?.currency_code ?? paid[0].currency,
      occurred_at: timeOf(triggeredAt ?? refunded.processed_at ?? refunded.created_at),
      items,
    },
  ]
}

function hasProduct({ product_id, quantity, current_quantity = quantity }) {
  return product_id !== null && product_id !== undefined && current_quantity > 0
}

/** JSON numbers beyond 2^53 lose digits: two orders could get one id. */
function idText(id) {
  if (typeof id === 'string' || Number.isSafeInteger(id)) return String(id)
  throw new Error(`the id ${id} is not exact`)
}

function timeOf(text) {
  return new Date(text).toISOString()
}

/** "19.90" in EUR is 1990, "19" in JPY is 19. */
function minorUnits(text, currency) {
  const digits = WITHOUT_DECIMALS.has(currency) ? 0 : WITH_3_DECIMALS.has(currency) ? 3 : 2
  const [, sign, whole, fraction = ''] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(text) ?? []
  if (whole === undefined || /[1-9]/.test(fraction.slice(digits))) throw new Error(`${text} is no amount in ${currency}`)
  return Number(`${sign}${whole}${fraction.slice(0, digits).padEnd(digits, '0')}`)
}
