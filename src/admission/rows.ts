import type { Callback } from '../ledger/callback.ts'
import type { CatalogProduct } from '../contract/product.ts'

/** The fields of a checked row of every table of the log. `index` is its position in the call, `item` the item as it was sent. */
export interface LogRow {
  index: number
  item: unknown
  eventId: string
  occurredAtMs: number
}

/** A checked interaction. */
export interface NewInteraction extends LogRow {
  eventType: string
  refType: 'Product' | 'Category'
  refId: string
  accountId: string | null
  accountNumber: number | null
  sessionId: string | null
  ipAddress: string | null
  userAgent: string | null
  metadata: unknown
}

/** Why an item is rejected. The field is null when the whole item is wrong. */
export interface ItemProblem {
  code: 'invalid' | 'too_old' | 'in_future' | 'refused' | 'inactive_source'
  field: string | null
  message: string
}

/** A rejected item of a call, by its position. */
export interface Rejection extends ItemProblem {
  index: number
}

/** A rejection with the item as it was sent. */
export interface NewRejection extends Rejection {
  item: unknown
}

/** A checked search. */
export interface NewSearch extends LogRow {
  query: string
  normalisedQuery: string
  accountId: string | null
  sessionId: string | null
  /** In the order of the page, each once. */
  productIds: readonly string[]
}

/** A checked callback. `index` is its position in the call, `item` the item as it was sent. */
export interface NewPayment extends Callback {
  index: number
  item: unknown
  accountId: string | null
  sessionId: string | null
  processingMs: number | null
}

/** One operation of a source. */
export interface NewAnalyticsEvent {
  /** The slug of the source; an unknown one is created. */
  source: string
  /** The source's id of the event. */
  externalRef: string
  entityId: string
  status: 'success' | 'failed' | 'pending'
  processingMs: number | null
  /** In minor units of the currency. */
  amount: number | null
  currency: string | null
  occurredAtMs: number
  payload: unknown
}

/** A checked event. `index` is its position in the call. */
export interface CalledAnalyticsEvent extends NewAnalyticsEvent {
  index: number
}

/** A checked version of a product. `index` is its position in the call. */
export interface ProductVersion {
  index: number
  productId: string
  sellerId: string | null
  name: string
  category: string | null
  brand: string | null
  price: number | null
  currency: string | null
  quantity: number | null
  status: CatalogProduct['status']
  updatedAtMs: number
}
