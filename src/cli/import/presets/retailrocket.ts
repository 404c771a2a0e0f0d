import type { Preset } from './preset.ts'

/** "Retailrocket recommender system dataset" on Kaggle: events.csv, and item_properties_part1.csv and _part2.csv for products. */
export const RETAILROCKET: Preset = {
  name: 'retailrocket',
  files: 'events of Retailrocket on Kaggle, and its item properties with --products (CSV)',
  interactions: {
    rules: [
      ['map', 'event_type=event'],
      ['map', 'ref_id=itemid'],
      ['map', 'occurred_at=timestamp'],
      ['map', 'account_id=visitorid'],
    ],
    values: ['event_type:addtocart=add_to_cart', 'event_type:transaction=purchase'],
    timeUnit: 'ms',
  },
  products: {
    rules: [
      ['map', 'product_id=itemid'],
      ['map', 'name=itemid'],
      // Each property is a row of its own, and a product is replaced as a whole.
      ['map', 'category=value if property = categoryid'],
      ['map', 'updated_at=timestamp'],
    ],
    timeUnit: 'ms',
    ignored: { without: 'category', rows: 'of other properties' },
  },
}
