import type { Preset } from './preset.ts'

/** How Go writes that there is no time, in CSV and in JSON. */
const NO_TIMES = ['0001-01-01 00:00:00 +0000 UTC', '0001-01-01T00:00:00Z']

/**
 * The exports of Gorse's dashboard: CSV of older versions, JSON lines of newer ones. Shops name the types of feedback themselves; these
 * are the names in its documentation. https://gorse.io/docs/concepts/data-objects.html
 */
export const GORSE: Preset = {
  name: 'gorse',
  files: 'feedback of Gorse, and its items with --products, as CSV or JSON lines',
  interactions: {
    rules: [
      ['map', 'event_type=feedback_type'],
      ['map', 'event_type=FeedbackType'],
      ['map', 'ref_id=item_id'],
      ['map', 'ref_id=ItemId'],
      ['map', 'account_id=user_id'],
      ['map', 'account_id=UserId'],
      ['map', 'occurred_at=time_stamp'],
      ['map', 'occurred_at=Timestamp'],
    ],
    values: [
      'event_type:read=view',
      'event_type:like=add_to_favorites',
      'event_type:star=add_to_favorites',
      'event_type:wish_list=add_to_favorites',
      'event_type:cart=add_to_cart',
      'event_type:buy=purchase',
    ],
    null: NO_TIMES,
  },
  products: {
    rules: [
      ['map', 'product_id=item_id'],
      ['map', 'product_id=ItemId'],
      ['map', 'name=description'],
      ['map', 'name=comment'],
      ['map', 'name=Comment'],
      // Rows of feedback are no items.
      ['map', 'name=item_id if feedback_type is empty'],
      ['map', 'name=ItemId if FeedbackType is empty'],
      // A table of the database has a list of JSON in its cells.
      ['map', 'category=categories[0]'],
      ['map', 'category=categories'],
      ['map', 'category=Categories[0]'],
      ['set', 'status=hidden if is_hidden = true'],
      ['set', 'status=hidden if is_hidden = 1'],
      ['set', 'status=hidden if IsHidden = true'],
    ],
    null: ['[]', 'null'],
    changes: { firstOf: { categories: '|' } },
  },
}
