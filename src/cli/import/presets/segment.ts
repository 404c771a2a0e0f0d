import type { RuleText } from '../mapping/rule.ts'
import { eventTypes, type Preset } from './preset.ts'

const PRODUCT = 'properties.products[]'
/** The properties that identify a product, in the order in which they are tried. */
const IDS = ['product_id', 'sku', 'id']

/** The names of Segment's e-commerce spec, version 2, and below them those of version 1. */
const EVENT_TYPES = eventTypes('event', {
  'Product Viewed': 'view',
  'Product Clicked': 'product_click',
  'Product Added': 'add_to_cart',
  'Wishlist Product Added to Cart': 'add_to_cart',
  'Product Removed': 'remove_from_cart',
  'Product Added to Wishlist': 'add_to_favorites',
  'Product Shared': 'product_share',
  'Product Reviewed': 'write_review',
  'Checkout Started': 'checkout_started',
  'Order Completed': 'purchase',
  'Order Refunded': 'return_product',
  'Order Cancelled': 'cancel_order',
  'Viewed Product': 'view',
  'Clicked Product': 'product_click',
  'Added Product': 'add_to_cart',
  'Removed Product': 'remove_from_cart',
  'Completed Order': 'purchase',
})

/** A list may be sent without its products, and a page without a product. */
const CONDITIONAL_TYPES: RuleText[] = [
  ...['Product List Viewed', 'Product List Filtered'].flatMap((name) =>
    IDS.map((id): RuleText => ['set', `event_type=product_impression if event = ${name} and ${PRODUCT}.${id} is not empty`]),
  ),
  ['set', 'event_type=view if type = page and properties.product_id is not empty'],
  ['set', 'event_type=view if type = screen and properties.product_id is not empty'],
]

const ID_COLUMNS = [PRODUCT, 'properties'].flatMap((of) => IDS.map((id) => `${of}.${id}`))

/** The timestamp is corrected by the receiver; the original one is that of the client's clock. */
const timeRules = (field: string): RuleText[] =>
  ['timestamp', 'originalTimestamp', 'receivedAt'].map((column) => ['map', `${field}=${column}`])

/** The events that Segment writes to files. https://segment.com/docs/connections/spec/ecommerce/v2/ */
export const SEGMENT: Preset = {
  name: 'segment',
  files: 'events of Segment as JSON lines, by its e-commerce spec',
  interactions: {
    rules: [
      ...EVENT_TYPES,
      ...CONDITIONAL_TYPES,
      ...ID_COLUMNS.map((column): RuleText => ['map', `ref_id=${column}`]),
      ...timeRules('occurred_at'),
      ['map', 'event_key=messageId'],
      ['map', 'account_id=userId'],
      ['map', 'session_id=anonymousId'],
    ],
    ignored: { without: 'event_type', rows: 'of other event types', by: ['event', 'type'] },
  },
  products: {
    rules: [
      ...ID_COLUMNS.map((column): RuleText => ['map', `product_id=${column}`]),
      ['map', `name=${PRODUCT}.name`],
      // Other calls have a name too, e.g. that of a page.
      ['map', 'name=properties.name if type = track and properties.product_id is not empty'],
      ['map', 'name=properties.name if type = track and properties.sku is not empty'],
      ['map', `category=${PRODUCT}.category`],
      ['map', 'category=properties.category'],
      ['map', `brand=${PRODUCT}.brand`],
      ['map', 'brand=properties.brand'],
      ...timeRules('updated_at'),
    ],
    ignored: { without: 'name', rows: 'without the name of a product', by: ['event', 'type'] },
  },
}
