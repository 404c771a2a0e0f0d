import { sql } from 'kysely'
import { HOUR_MS } from '../../../src/contract/fields/time.ts'
import { PRESETS } from '../../../src/ranking/weights.ts'
import type { Database } from '../../../src/store/database/connection.ts'
import type { NewInteraction } from '../../../src/admission/interaction.ts'
import type { NewSearch } from '../../../src/admission/search.ts'

/** Every aggregate by the name of its cell: the slow reference, from the distinct events alone. */
export type Cells = Record<string, number>

const HALF_LIFE_HOURS = 72

export const COUNTERS: Record<string, string> = {
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
  click_from_search: 'search_click_count',
  search_impression: 'search_count',
}

/** The aggregates after exactly these interactions and searches, under the balanced weights by default. */
export function expectedCells(
  events: readonly NewInteraction[],
  rules: { landmarkMs: number; edgeMs: number; weights?: Readonly<Record<string, number>> },
  searches: readonly NewSearch[] = [],
): Cells {
  const weights: Readonly<Record<string, number>> = rules.weights ?? PRESETS.balanced
  const cells: Cells = {}
  const add = (name: string, amount: number) => (cells[name] = (cells[name] ?? 0) + amount)
  const latest = (name: string, ms: number) => (cells[name] = Math.max(cells[name] ?? 0, ms))
  const count = (productId: string, eventType: string, occurredAtMs: number) => {
    const hourMs = Math.floor(occurredAtMs / HOUR_MS) * HOUR_MS
    const decay = (sinceMs: number) => 2 ** ((occurredAtMs - sinceMs) / HOUR_MS / HALF_LIFE_HOURS)
    const weight = weights[eventType] ?? 0
    const product = `product ${productId}`
    add(`hour ${productId} ${hourMs} ${eventType} events`, 1)
    add(`hour ${productId} ${hourMs} ${eventType} decayed`, decay(hourMs))
    add(`${product} interaction_count`, 1)
    add(`${product} score_micros`, Math.round(weight * 1e6))
    add(`${product} trending`, hourMs >= rules.edgeMs ? weight * decay(rules.landmarkMs) : 0)
    for (const counter of new Set(Object.values(COUNTERS))) add(`${product} ${counter}`, COUNTERS[eventType] === counter ? 1 : 0)
    latest(`${product} last_interaction`, occurredAtMs)
  }
  for (const { productIds, occurredAtMs } of searches) {
    for (const productId of productIds) count(productId, 'search_impression', occurredAtMs)
  }
  for (const event of events.filter((one) => one.refType === 'Product')) {
    count(event.refId, event.eventType, event.occurredAtMs)
    const shopper = event.accountId === null ? `session:${event.sessionId}` : `account:${event.accountId}`
    add(`shopper ${shopper} ${event.refId} ${event.eventType} events`, 1)
    latest(`shopper ${shopper} ${event.refId} ${event.eventType} last_at`, event.occurredAtMs)
  }
  return cells
}

/** The same cells as they are stored. */
export async function storedCells(db: Database): Promise<Cells> {
  const { rows } = await sql<{ name: string; value: number }>`
    select 'hour ' || product_id || ' ' || extract(epoch from hour)::bigint * 1000 || ' ' || event_type || ' ' || v.name as name, v.value
    from product_hour cross join lateral (values ('events', events::float8), ('decayed', decayed)) v(name, value)
    union all
    select 'product ' || product_id || ' ' || v.name, v.value from product_popularity cross join lateral (values
      ('interaction_count', interaction_count::float8), ('score_micros', score_micros::float8), ('trending', trending),
      ${sql.join([...new Set(Object.values(COUNTERS))].map((counter) => sql`(${sql.lit(counter)}, ${sql.ref(counter)})`))},
      ('last_interaction', extract(epoch from last_interaction)::float8 * 1000)) v(name, value)
    union all
    select 'shopper ' || shopper_id || ' ' || product_id || ' ' || event_type || ' ' || v.name, v.value
    from shopper_product cross join lateral (values ('events', events::float8), ('last_at', extract(epoch from last_at)::float8 * 1000)) v(name, value)`.execute(
    db,
  )
  return Object.fromEntries(rows.map(({ name, value }) => [name, value]))
}

/** The landmark and the edge of the rules in force. */
export async function rulesInForce(db: Database): Promise<{ landmarkMs: number; edgeMs: number }> {
  const { rows } = await sql<{ landmark: Date; edge: Date }>`select landmark, edge from popularity_rules`.execute(db)
  return { landmarkMs: rows[0]!.landmark.getTime(), edgeMs: rows[0]!.edge.getTime() }
}

/** Names of the cells that differ by more than float addition explains. */
export function differences(stored: Cells, expected: Cells): string[] {
  const names = new Set([...Object.keys(stored), ...Object.keys(expected)])
  return [...names]
    .filter((name) => {
      const [one, other] = [stored[name], expected[name]]
      return one === undefined || other === undefined || Math.abs(one - other) > 1e-9 * Math.max(1, Math.abs(other))
    })
    .map((name) => `${name}: stored ${stored[name]}, expected ${expected[name]}`)
}
