import { eventTypes, type Preset } from './preset.ts'

/**
 * The table events_YYYYMMDD that Google Analytics 4 exports to BigQuery, as JSON.
 * https://support.google.com/analytics/answer/7029846
 */
export const GA4: Preset = {
  name: 'ga4',
  files: 'events of Google Analytics 4, exported from BigQuery as JSON',
  interactions: {
    rules: [
      ...eventTypes('event_name', {
        view_item: 'view',
        view_item_list: 'product_impression',
        select_item: 'product_click',
        add_to_wishlist: 'add_to_favorites',
        add_to_cart: 'add_to_cart',
        remove_from_cart: 'remove_from_cart',
        begin_checkout: 'checkout_started',
        purchase: 'purchase',
        refund: 'return_product',
      }),
      ['map', 'ref_id=items[].item_id'],
      ['map', 'occurred_at=event_timestamp'],
      ['map', 'account_id=user_id'],
      // ga_session_id is the second in which the session started, so other visitors may have the same one.
      ['map', 'session_id=user_pseudo_id + event_params[key=ga_session_id].value.int_value if user_pseudo_id is not empty'],
    ],
    timeUnit: 'us',
    null: ['(not set)'],
    ignored: { without: 'event_type', rows: 'of other event types', by: ['event_name'] },
  },
  products: {
    rules: [
      ['map', 'product_id=items[].item_id'],
      ['map', 'name=items[].item_name'],
      ['map', 'category=items[].item_category'],
      ['map', 'brand=items[].item_brand'],
      ['map', 'updated_at=event_timestamp'],
    ],
    timeUnit: 'us',
    null: ['(not set)'],
    ignored: { without: 'name', rows: 'without the name of a product', by: ['event_name'] },
  },
}
