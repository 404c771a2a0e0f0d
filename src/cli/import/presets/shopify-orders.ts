import type { RowChanges } from '../mapping/row-changes.ts'
import type { Preset } from './preset.ts'

/** Only the first line item of an order has what is about the whole order. */
const WHOLE_ORDERS: RowChanges = {
  fillDown: { same: 'Name', columns: ['Email', 'Financial Status', 'Cancelled at', 'Currency', 'Created at'] },
}

/** The orders that Shopify's admin exports as CSV, with a row for each line item. https://help.shopify.com/en/manual/orders/export-orders */
export const SHOPIFY_ORDERS: Preset = {
  name: 'shopify-orders',
  files: "orders of Shopify's admin as CSV, with a row for each line item",
  interactions: {
    rules: [
      ['set', 'event_type=purchase if Cancelled at is empty and Financial Status != voided and Financial Status != expired'],
      ['map', 'ref_id=Lineitem sku'],
      ['map', 'ref_id=Lineitem name'],
      ['map', 'occurred_at=Created at'],
      // An order that is exported again may have another status, and is still the same purchase.
      ['map', 'event_key=Name + Lineitem sku if Lineitem sku is not empty'],
      ['map', 'event_key=Name + Lineitem name'],
      ['map', 'account_id=Email'],
      ['map', 'session_id=Name if Email is empty'],
    ],
    ignored: { without: 'event_type', rows: 'of cancelled, voided or expired orders' },
    changes: WHOLE_ORDERS,
  },
  products: {
    rules: [
      ['map', 'product_id=Lineitem sku'],
      ['map', 'product_id=Lineitem name'],
      ['map', 'name=Lineitem name'],
      ['map', 'brand=Vendor'],
      ['map', 'price=Lineitem price'],
      ['map', 'currency=Currency'],
      ['map', 'updated_at=Created at'],
    ],
    priceDecimals: 'auto',
    changes: WHOLE_ORDERS,
  },
}
