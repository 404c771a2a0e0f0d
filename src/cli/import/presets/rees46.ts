import type { Preset } from './preset.ts'

/** The data sets of shops that REES46 published on Kaggle, e.g. "eCommerce behavior data from multi category store". */
export const REES46: Preset = {
  name: 'rees46',
  files: 'the eCommerce data sets of REES46 on Kaggle (CSV)',
  interactions: {
    rules: [
      ['map', 'event_type=event_type'],
      ['map', 'ref_id=product_id'],
      ['map', 'occurred_at=event_time'],
      ['map', 'account_id=user_id'],
      ['map', 'session_id=user_session'],
    ],
    values: ['event_type:cart=add_to_cart'],
  },
  products: {
    rules: [
      ['map', 'product_id=product_id'],
      ['map', 'name=product_id'],
      ['map', 'category=category_code'],
      ['map', 'category=category_id'],
      ['map', 'brand=brand'],
      ['map', 'updated_at=event_time'],
    ],
    // A list of products repeats many of them without anything but their ids, and a version is the whole product.
    ignored: { without: 'category', rows: 'without a category' },
  },
}
