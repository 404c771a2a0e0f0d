/*
 * Shopify (https://shopify.dev/docs/apps/build/webhooks). It signs the body: X-Shopify-Hmac-SHA256 is the base64 of its HMAC-SHA256 with
 * the client secret of the app. The headers are not signed, so what a body is must also follow from the body.
 *
 * Topics to subscribe to: orders/paid, refunds/create. An order is one payment. Amounts are in the currency of the shop, after discounts,
 * and have taxes in them where the shop's prices do. Shipping, tips, other lines without a product, and taxes that the prices do not
 * have are adjustments; so is what else the total of the order has, e.g. duties. A refund comes to the money that was given back.
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
  const items = itemsOfOrder(order)
  if (items.length === 0) return { ignored: `order ${order.id} has nothing that costs anything` }
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

function itemsOfOrder(order) {
  const { currency, line_items: lines, shipping_lines: shippings = [], taxes_included: hasTaxes } = order
  const sold = lines.filter(({ quantity, current_quantity: left = quantity }) => left > 0)
  const shipping = shippings.filter(({ is_removed }) => !is_removed).map((line) => amountOf({ ...line, quantity: 1 }, currency))
  const items = [
    ...sold
      .filter(hasProduct)
      .flatMap((line) => itemsFor(line, line.current_quantity ?? line.quantity, amountOf(line, currency))),
    ...sold.filter((line) => !hasProduct(line)).map((line) => adjustment(nameOf(line), amountOf(line, currency))),
    ...shipping.map((amount) => adjustment('shipping', amount)),
    adjustment('taxes', hasTaxes ? 0 : minorUnits(order.current_total_tax ?? order.total_tax ?? '0', currency)),
  ].filter(isMoney)
  const total = order.current_total_price ?? order.total_price
  const rest = total === undefined ? 0 : minorUnits(total, currency) - sumOf(items)
  return [...items, adjustment(rest < 0 ? 'other discounts' : 'other charges', rest)].filter(isMoney)
}

/** What is paid for the part of a line that was not removed. */
function amountOf({ quantity, current_quantity: left = quantity, price, discount_allocations = [] }, currency) {
  const discount = discount_allocations.reduce((sum, { amount }) => sum + minorUnits(amount, currency), 0)
  return Math.round(((minorUnits(price, currency) * quantity - discount) * left) / quantity)
}

/** The items of a line, whose units need not all cost the same: a discount is one of the line. */
function itemsFor({ product_id }, quantity, amount) {
  const unit_price = Math.floor(amount / quantity)
  const dearer = amount - unit_price * quantity
  return [
    { product_id: idText(product_id), quantity: quantity - dearer, unit_price },
    { product_id: idText(product_id), quantity: dearer, unit_price: unit_price + 1 },
  ].filter((item) => item.quantity > 0)
}

function refund({ id, order_id, refund_line_items: lines, transactions = [], ...refunded }, triggeredAt) {
  if (!Array.isArray(lines)) throw new Error('this is no refund: it has no refund_line_items')
  // A pending one is not told again when it has succeeded.
  const paid = transactions.filter(({ kind, status }) => kind === 'refund' && (status === 'success' || status === 'pending'))
  if (transactions.some(({ test }) => test)) return { ignored: `refund ${id} is a test` }
  if (paid.length === 0) return { ignored: `refund ${id} moves no money` }
  const money = lines[0]?.subtotal_set ?? refunded.order_adjustments?.[0]?.amount_set
  const currency = money?.shop_money?.currency_code ?? paid[0].currency
  const items = itemsOfRefund({ ...refunded, lines, paid, currency })
  // A refund without items would be one of all that is left.
  if (items.length === 0) throw new Error(`refund ${id} is of an amount: which items it is for is not known`)
  return [
    {
      callback_id: `refund-${idText(id)}`,
      payment_ref: idText(order_id),
      order_id: idText(order_id),
      status: 'refunded',
      currency,
      occurred_at: timeOf(triggeredAt ?? refunded.processed_at ?? refunded.created_at),
      items,
    },
  ]
}

/** The lines of a refund, shipping and taxes. What the shop kept of their amount is left out, of products first. */
function itemsOfRefund({ lines, paid, currency, order_adjustments: adjustments = [] }) {
  const money = (amount) => minorUnits(amount ?? '0', currency)
  const shippings = adjustments.filter(({ kind }) => kind === 'shipping_refund')
  const taxed = lines.filter(isWithoutTaxes)
  // Shipping has taxes in its price when the lines have.
  const taxes = [
    ...taxed.map((line) => money(line.total_tax)),
    ...(taxed.length > 0 ? shippings.map((line) => -money(line.tax_amount)) : []),
  ]
  const parts = [
    ...lines.map((line) => ({ line, amount: money(line.subtotal) })),
    ...shippings.map(({ amount }) => ({ name: 'shipping', amount: -money(amount) })),
    { name: 'taxes', amount: taxes.reduce((sum, amount) => sum + amount, 0) },
  ]
  if (parts.every(({ line, amount }) => line === undefined && amount === 0)) return []
  const listed = parts.reduce((sum, { amount }) => sum + amount, 0)
  const difference = adjustments
    .filter(({ kind }) => kind === 'refund_discrepancy')
    .reduce((sum, { amount }) => sum + money(amount), 0)
  const isOwnCurrency = paid.every((transaction) => transaction.currency === currency)
  const given = isOwnCurrency ? paid.reduce((sum, { amount }) => sum + money(amount), 0) : listed - difference
  let kept = Math.max(0, listed - given)
  const byProduct = parts.toSorted((a, b) => Number(!isOfProduct(a)) - Number(!isOfProduct(b)))
  const items = byProduct.flatMap((part) => {
    const less = Math.min(kept, part.amount)
    kept -= less
    return itemsOfPart(part, less)
  })
  // More than the lines: of any charge that is left.
  return [...items, { quantity: 1, unit_price: Math.max(0, given - listed) }].filter(isMoney)
}

function itemsOfPart(part, less) {
  const { line, name = nameOf(line.line_item), amount } = part
  if (!isOfProduct(part)) return [adjustment(name, amount - less)]
  // Without a price it is taken back for the price that was paid.
  if (less === 0) return [{ product_id: idText(line.line_item.product_id), quantity: line.quantity }]
  return itemsFor(line.line_item, line.quantity, amount - less)
}

function isOfProduct({ line }) {
  return line !== undefined && hasProduct(line.line_item)
}

/** Whether the subtotal of a line is one without its taxes, which Shopify does not say, but the rates of the taxes do. */
function isWithoutTaxes({ subtotal, total_tax, line_item: { tax_lines = [] } }) {
  const rate = tax_lines.reduce((sum, line) => sum + Number(line.rate), 0)
  const distance = (tax) => Math.abs(Number(total_tax) - tax)
  return Number(total_tax) > 0 && distance(subtotal * rate) < distance((subtotal * rate) / (1 + rate))
}

function hasProduct({ product_id }) {
  return product_id !== null && product_id !== undefined
}

function adjustment(name, unit_price) {
  return { name, quantity: 1, unit_price }
}

function nameOf({ title, name }) {
  return String(title || name || 'other').slice(0, 200)
}

function isMoney({ product_id, unit_price }) {
  return product_id !== undefined || unit_price !== 0
}

function sumOf(items) {
  return items.reduce((sum, { quantity, unit_price }) => sum + quantity * unit_price, 0)
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
