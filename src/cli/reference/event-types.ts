import { PRESETS, type Weights } from '../../ranking/weights.ts'
import { code, pageOf, tableOf } from './markdown.ts'

/** The counter of a product that each event type adds to: the rows of the table event_type, to which a test compares this one. */
export const COUNTER_OF: Readonly<Record<string, string>> = {
  view: 'view_count',
  view_bounce: 'view_count',
  purchase: 'purchase_count',
  add_to_favorites: 'favorite_count',
  add_to_cart: 'cart_count',
  remove_from_cart: 'cart_count',
  write_review: 'review_count',
  rating_high: 'review_count',
  rating_medium: 'review_count',
  rating_low: 'review_count',
  search_impression: 'search_count',
  click_from_search: 'search_click_count',
}

const INTRO = `Events of every type are recorded and counted per hour; an event adds its weight in the table of \`POPULARITY_WEIGHTS\` to the [score](popularity.md#scores-and-counters) of its
product, or nothing when its type has no weight there. An event whose type has a counter also adds 1 to that counter of the product.

\`GET /api/v1/analytic/event-types\` (scope \`read\`) lists the types in use with the weights in force, and how often each was counted, of all time or of
the last \`days\`. The answer to events of types without a weight names these ([events](events.md#send-interactions)).`

/** Event types with the weights of every preset, highest first, and their counters. */
export function eventTypesPage(): string {
  const presets: [string, Weights][] = Object.entries(PRESETS)
  const types = new Set([...presets.flatMap(([, weights]) => Object.keys(weights)), ...Object.keys(COUNTER_OF)])
  const rows = [...types]
    .sort((a, b) => weightIn(PRESETS.balanced, b) - weightIn(PRESETS.balanced, a) || a.localeCompare(b, 'en'))
    .map((type) => [
      code(type),
      ...presets.map(([, weights]) => String(weights[type] ?? '')),
      type in COUNTER_OF ? code(COUNTER_OF[type]!) : '',
    ])
  return pageOf({
    title: 'Event types',
    intro: INTRO,
    source: 'src/ranking/weights.ts',
    sections: [tableOf(['event type', ...presets.map(([name]) => code(name)), 'counter'], rows)],
  })
}

function weightIn(weights: Weights, type: string): number {
  return weights[type] ?? 0
}
