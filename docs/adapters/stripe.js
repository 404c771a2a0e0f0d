/*
 * Stripe (https://docs.stripe.com/webhooks). Its signature has the form of Footfall's own: Stripe-Signature: t=<unix seconds>,v1=<hex>.
 *
 * Stripe knows amounts, and not which items they are for. So the shop writes `order_id` and `items` (JSON as in a callback) into the
 * metadata of a payment intent, and `items` or `whole: yes` into that of a refund. A payment without an order_id is not of this shop and
 * is ignored.
 *
 * A refund of the dashboard and a dispute have no such metadata. The adapter then asks Stripe about them, with STRIPE_API_KEY, a
 * restricted key that reads payment intents, refunds and disputes. Amounts that take back all that is left are of the whole payment; any
 * other is refused until the metadata says which items it is for: add it in the dashboard, then `footfall rejected replay`.
 *
 * Events to subscribe to: payment_intent.processing, .succeeded, .payment_failed, .canceled; refund.created, .updated, .failed;
 * charge.dispute.funds_withdrawn, .funds_reinstated. Thin events of the same types work too.
 */
const API = 'https://api.stripe.com'
/** Below the 5 seconds that an adapter has. */
const ANSWER_MS_MAX = 4_000

const INTENTS = {
  'payment_intent.processing': 'pending',
  'payment_intent.succeeded': 'success',
  'payment_intent.payment_failed': 'failed',
  'payment_intent.canceled': 'cancelled',
}
const REFUNDS = ['refund.created', 'refund.updated', 'refund.failed']

export default {
  provider: 'stripe',
  signatureHeader: 'stripe-signature',
  // Two, with a comma, while the secret changes.
  secrets: (process.env.STRIPE_WEBHOOK_SECRETS ?? '').split(','),
  async callbacksOf(webhook) {
    const event = await snapshotOf(webhook)
    const { type, object } = event
    if (Object.hasOwn(INTENTS, type)) return paymentOf(event)
    if (REFUNDS.includes(type)) return refundOf(event)
    if (type === 'charge.dispute.funds_withdrawn') return takenBack(event, object.id)
    if (type === 'charge.dispute.funds_reinstated') return reversed(event, 'success')
    return { ignored: `${type} is of no interest` }
  },
}

/** The event with its object. A thin event has only the address of the object, in the state that it has now. */
async function snapshotOf({ id, object: form, type, created, account, context, data, related_object: related }) {
  if (form !== 'v2.core.event') return { id, type, account, seconds: created, object: data.object }
  const event = { id, type: type.replace(/^v1\./, ''), account: context, seconds: Date.parse(created) / 1_000 }
  const isOfInterest = Object.hasOwn(INTENTS, event.type) || REFUNDS.includes(event.type) || /dispute\.funds_/.test(event.type)
  return { ...event, object: isOfInterest ? await fetched(related.url, context) : {} }
}

function paymentOf({ id, type, seconds, object }) {
  const { order_id, items } = object.metadata ?? {}
  if (order_id === undefined) return { ignored: `${object.id} is not of this shop: its metadata has no order_id` }
  const callback = { callback_id: id, payment_ref: object.id, order_id, status: INTENTS[type] }
  return [{ ...callback, ...moneyAndTime(object, seconds), items: itemsIn(items, object) }]
}

function refundOf(event) {
  const { id, status } = event.object
  // The same id for every event of a refund, so that it counts once.
  if (status === 'succeeded') return takenBack(event, id)
  if (status === 'failed' || status === 'canceled') return reversed(event, 'failed')
  return { ignored: `refund ${id} is ${status}` }
}

/** A refund, or a dispute whose amount was withdrawn. */
async function takenBack({ account, seconds, object }, callbackId) {
  const { id, payment_intent: intentId } = object
  if (!intentId) return { ignored: `${id} is of a payment without an intent` }
  const said = saysWhatOf(object) ? object.metadata : await askedOf(object, account)
  if (said === undefined) return { ignored: `${id} is of ${intentId}, which is not of this shop` }
  return [
    {
      callback_id: callbackId,
      payment_ref: intentId,
      order_id: said.order_id ?? intentId,
      status: 'refunded',
      ...moneyAndTime(object, seconds),
      items: said.items === undefined ? [] : itemsIn(said.items, object),
    },
  ]
}

/** Gives back what a refund that failed, or a dispute that was won, took back. It changes nothing if that never counted. */
async function reversed({ account, seconds, object }, status) {
  const { id, payment_intent: intentId, metadata } = object
  if (!intentId) return { ignored: `${id} is of a payment without an intent` }
  const order_id = metadata?.order_id ?? (await intentOf(object, account)).metadata?.order_id
  if (order_id === undefined) return { ignored: `${id} is of ${intentId}, which is not of this shop` }
  const callback = { callback_id: `${id}-reversed`, reverses: id, payment_ref: intentId, order_id, status }
  return [{ ...callback, ...moneyAndTime(object, seconds) }]
}

function saysWhatOf({ metadata }) {
  return metadata?.items !== undefined || metadata?.whole === 'yes'
}

/** What Stripe says about a refund or a dispute now. @returns its metadata; undefined when the payment is not of this shop. */
async function askedOf(object, account) {
  const { id, object: kind, amount } = object
  const intent = await intentOf(object, account)
  const { order_id } = intent.metadata ?? {}
  if (order_id === undefined) return undefined
  const now = await fetched(`/v1/${kind}s/${id}`, account)
  if (saysWhatOf(now)) return { order_id, ...now.metadata }
  const { amount_captured: paid, amount_refunded: refunded } = intent.latest_charge
  const left = kind === 'refund' ? paid - refunded : paid - refunded - amount
  if (left <= 0) return { order_id }
  throw new Error(`${kind} ${id} does not say what of: add items to its metadata`)
}

function intentOf({ payment_intent: id }, account) {
  return fetched(`/v1/payment_intents/${id}?expand[]=latest_charge`, account)
}

async function fetched(path, account) {
  const url = new URL(path, API)
  if (url.origin !== API || !url.pathname.startsWith('/v1/')) throw new Error(`${path} is no address of Stripe's API`)
  const headers = { authorization: `Bearer ${process.env.STRIPE_API_KEY}`, ...(account && { 'stripe-account': account }) }
  const response = await fetch(url, { headers, signal: AbortSignal.timeout(ANSWER_MS_MAX) })
  if (!response.ok) throw new Error(`Stripe answered ${response.status} for ${url.pathname}`)
  return response.json()
}

function moneyAndTime({ currency }, seconds) {
  return { currency: currency.toUpperCase(), occurred_at: new Date(seconds * 1_000).toISOString() }
}

function itemsIn(text, { id }) {
  try {
    return JSON.parse(text ?? '[]')
  } catch {
    throw new Error(`the items in the metadata of ${id} are not JSON`)
  }
}
