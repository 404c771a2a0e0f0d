import { uuidV7 } from '../../contract/fields/event-id.ts'
import { instantOf } from '../../contract/fields/time.ts'
import type { Interaction } from '../../contract/interaction.ts'
import type { PaymentCallback, PaymentStatus } from '../../contract/payment.ts'
import type { Search } from '../../contract/search.ts'
import type { Shopper } from './shop.ts'
import type { PaymentStep, Step } from './visit.ts'

type Identified = { event_id: string; occurred_at: string }
/** An interaction with an id, so that it can be sent again. */
export type IdentifiedEvent = Interaction & Identified
/** What is sent, each kind to its own address. */
export type Item =
  | { kind: 'interaction'; item: IdentifiedEvent }
  | { kind: 'search'; item: Search & Identified }
  | { kind: 'payment'; item: PaymentCallback }

/** When a step happens, and the bytes (at least 10) that make its ids. */
export interface Occasion {
  shopper: Shopper
  occurredAtMs: number
  /** The bytes of the step's nth item. */
  idBytesOf: (number: number) => Uint8Array
  /** Whether payments are sent as callbacks of their provider. Otherwise they are interactions. */
  hasCallbacks: boolean
}

const PROVIDER = 'demo-pay'
/** What a callback does to each of its items, where there are no callbacks. */
const EVENT_TYPES: Partial<Record<PaymentStatus, string>> = {
  success: 'purchase',
  cancelled: 'cancel_order',
  refunded: 'refund_requested',
}

/** A step as the gateway takes it: one item, but for the products of a payment without callbacks. */
export function itemsOf(step: Step, occasion: Occasion): Item[] {
  const { shopper, occurredAtMs, idBytesOf, hasCallbacks } = occasion
  const identified = (number: number) => ({
    event_id: uuidV7(occurredAtMs, idBytesOf(number)),
    occurred_at: instantOf(occurredAtMs),
    ...shopper,
  })
  if (step.kind === 'search') {
    const { query, product_ids } = step
    return [{ kind: 'search', item: { ...identified(0), query, product_ids } }]
  }
  if (step.kind === 'interaction') {
    const { kind, afterMs: _, ...fields } = step
    return [{ kind, item: { ...identified(0), ...fields } }]
  }
  if (hasCallbacks) return [{ kind: 'payment', item: callbackOf(step, occasion) }]
  const event_type = EVENT_TYPES[step.status]
  if (event_type === undefined) return []
  const metadata = { order_id: step.order_id }
  return step.items.map(({ product_id }, number) => ({
    kind: 'interaction',
    item: { ...identified(number), event_type, ref_type: 'Product', ref_id: product_id, metadata },
  }))
}

function callbackOf({ order_id, status, currency, items }: PaymentStep, occasion: Occasion): PaymentCallback {
  const { shopper, occurredAtMs, idBytesOf } = occasion
  const isTakenBack = status === 'refunded' || status === 'cancelled'
  return {
    provider: PROVIDER,
    callback_id: `evt-${Buffer.from(idBytesOf(0).subarray(0, 10)).toString('hex')}`,
    payment_ref: order_id,
    order_id,
    status,
    currency,
    ...shopper,
    occurred_at: instantOf(occurredAtMs),
    // What is taken back has the price that was paid.
    items: items.map(({ product_id, price }) => ({ product_id, quantity: 1, ...(!isTakenBack && { unit_price: price }) })),
  }
}
