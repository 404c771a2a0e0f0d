import type { Preset } from './preset.ts'

/**
 * The files of "Brazilian E-Commerce Public Dataset by Olist" on Kaggle. Each file has a part of an order, so columns of other files
 * count if they were joined to this one.
 */
export const OLIST: Preset = {
  name: 'olist',
  files: 'order items of Olist on Kaggle, and its products with --products (CSV)',
  interactions: {
    rules: [
      ['set', 'event_type=purchase if order_status != canceled and order_status != unavailable'],
      ['map', 'ref_id=product_id'],
      ['map', 'occurred_at=order_purchase_timestamp'],
      ['map', 'occurred_at=shipping_limit_date'],
      // A join with payments or reviews repeats items.
      ['map', 'event_key=order_id + order_item_id if order_item_id is not empty'],
      ['map', 'account_id=customer_unique_id'],
      ['map', 'account_id=customer_id'],
      ['map', 'session_id=order_id if customer_unique_id is empty and customer_id is empty'],
    ],
    ignored: { without: 'event_type', rows: 'of canceled orders', by: ['order_status'] },
  },
  products: {
    rules: [
      ['map', 'product_id=product_id'],
      ['map', 'name=product_id'],
      ['map', 'category=product_category_name_english'],
      ['map', 'category=product_category_name'],
      ['map', 'seller_id=seller_id'],
      ['map', 'price=price'],
      ['set', 'currency=BRL'],
      ['map', 'updated_at=order_purchase_timestamp'],
      ['map', 'updated_at=shipping_limit_date'],
    ],
    priceDecimals: 2,
  },
}
