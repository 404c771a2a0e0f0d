/*
 * Adyen, standard webhooks as JSON (https://docs.adyen.com/development-resources/webhooks). Each item of a webhook has its signature in
 * additionalData.hmacSignature: the base64 of the HMAC-SHA256 of eight fields with colons between them, with a key in hex. Everything
 * else of an item is not signed, also what the shop wrote into the metadata.
 *
 * So the items come from the shop: ORDERS_URL/<merchantReference> answers {"order_id": "o-1", "total": 1130, "items": [...], "refunds":
 * {"<pspReference>": [...]}} with items as in a callback, or 404 for a payment that is not of this shop. The reference is that of the
 * payment, or of a refund that was given one. What takes back the total, and is not in `refunds`, takes back all that is left.
 */
import { createHmac, timingSafeEqual } from 'node:crypto'

// Two, with a comma, while the key changes.
const KEYS = (process.env.ADYEN_HMAC_KEYS ?? '').split(',').map((hex) => Buffer.from(hex, 'hex'))
if (KEYS.some(({ length }) => length < 16)) throw new Error('ADYEN_HMAC_KEYS needs the HMAC key of the webhook, in hex')
/** Below the 5 seconds that an adapter has. */
const ANSWER_MS_MAX = 4_000

/** What an event of a payment is: its status, whether it is of the whole payment, and in whose name it counts. */
const EVENTS = {
  'AUTHORISATION true': { status: 'success' },
  'AUTHORISATION false': { status: 'failed' },
  'PENDING true': { status: 'pending' },
  'CANCELLATION true': { status: 'cancelled', isWhole: true },
  'TECHNICAL_CANCEL true': { status: 'cancelled', isWhole: true },
  'REFUND true': { status: 'refunded' },
  'CANCEL_OR_REFUND true': { status: 'refunded', as: 'REFUND' },
  'CHARGEBACK true': { status: 'refunded' },
  'SECOND_CHARGEBACK true': { status: 'refunded' },
  'CAPTURE_FAILED true': { status: 'failed', isWhole: true },
}
/** Give back what an earlier event took back. All events of a refund, and all of a dispute, have one pspReference. */
const REVERSALS = {
  'REFUND_FAILED true': { status: 'failed', of: 'REFUND' },
  'REFUNDED_REVERSED true': { status: 'failed', of: 'REFUND' },
  'CHARGEBACK_REVERSED true': { status: 'success', of: 'CHARGEBACK' },
}

export default {
  provider: 'adyen',
  // Adyen sends nothing else of an endpoint until it has accepted the first webhook of its queue.
  acknowledgesRefused: true,
  isSigned({ body }) {
    const items = itemsIn(JSON.parse(Buffer.from(body).toString()))
    return items.length > 0 && items.every(isItemSigned)
  },
  async callbacksOf(webhook) {
    return Promise.all(itemsIn(webhook).map(callbackOf))
  },
}

function itemsIn({ notificationItems = [] }) {
  return notificationItems.map(({ NotificationRequestItem: item }) => item)
}

function isItemSigned({ additionalData, amount, ...item }) {
  const { pspReference, originalReference, merchantAccountCode, merchantReference, eventCode, success } = item
  const account = [pspReference, originalReference, merchantAccountCode, merchantReference]
  const signed = [...account, amount?.value, amount?.currency, eventCode, success].join(':')
  const shown = Buffer.from(String(additionalData?.hmacSignature), 'base64')
  const expected = KEYS.map((key) => createHmac('sha256', key).update(signed).digest())
  return expected.map((digest) => shown.length === digest.length && timingSafeEqual(shown, digest)).includes(true)
}

async function callbackOf({ eventCode, success, ...item }) {
  const { pspReference, originalReference, merchantReference, amount, eventDate } = item
  const name = `${eventCode} ${success}`
  const isReversal = Object.hasOwn(REVERSALS, name)
  if (!isReversal && !Object.hasOwn(EVENTS, name)) return { ignored: `${name} is of no interest` }
  const order = await orderOf(merchantReference)
  if (order === undefined) return { ignored: `${merchantReference} is not of this shop` }
  const { status, isWhole = false, as = eventCode, of } = isReversal ? REVERSALS[name] : EVENTS[name]
  return {
    callback_id: `${as}-${success}-${pspReference}`,
    ...(isReversal && { reverses: `${of}-true-${pspReference}` }),
    // Of the payment; an event of the payment itself has no other.
    payment_ref: originalReference || pspReference,
    order_id: order.order_id,
    status,
    currency: amount.currency,
    occurred_at: new Date(eventDate).toISOString(),
    ...(!isReversal && { items: status === 'refunded' ? takenBackOf(item, order) : isWhole ? [] : order.items }),
  }
}

/** The items of a refund or a chargeback; none for all that is left. */
function takenBackOf({ pspReference, amount }, { total, refunds = {} }) {
  if (refunds[pspReference] !== undefined) return refunds[pspReference]
  if (amount.value >= total) return []
  throw new Error(`${pspReference} takes back ${amount.value} of ${total} ${amount.currency}: the shop does not say which items`)
}

async function orderOf(reference) {
  const url = `${process.env.ORDERS_URL}/${encodeURIComponent(reference)}`
  const response = await fetch(url, { signal: AbortSignal.timeout(ANSWER_MS_MAX) })
  if (response.status === 404) return undefined
  if (!response.ok) throw new Error(`the shop answered ${response.status} for the order ${reference}`)
  return response.json()
}
