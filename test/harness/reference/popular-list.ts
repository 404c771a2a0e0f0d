import type { Mode, PopularProduct, PopularRequest } from '../../../src/contract/popular-list.ts'
import { DAY_MS, HOUR_MS } from '../../../src/contract/fields/time.ts'
import { PRESETS } from '../../../src/ranking/weights.ts'
import { COUNTERS } from './cells.ts'
import type { NewInteraction } from '../../../src/admission/interaction.ts'

const HALF_LIFE_HOURS = 72
const TRENDING_HOURS = 168

export interface Listed {
  category: string | null
  status: 'active' | 'hidden' | 'deleted'
  quantity: number | null
}

type Numbers = Omit<PopularProduct, 'last_interaction' | 'date_updated'>

/**
 * The expected list: the slow reference, from the events alone. A product without a row in the catalogue is listed and has no
 * category. `edgeMs` is where trending of all time until now begins; of hours before `rolledToMs` only the day is known.
 */
export function expectedList(
  events: readonly NewInteraction[],
  catalogue: ReadonlyMap<string, Listed>,
  request: Pick<PopularRequest, 'mode' | 'time_window_days' | 'category_ids' | 'min_interactions' | 'as_of' | 'in_stock'>,
  { nowMs, edgeMs, rolledToMs }: { nowMs: number; edgeMs: number; rolledToMs: number },
): Numbers[] {
  const known = (hourMs: number) => (hourMs < rolledToMs ? Math.floor(hourMs / DAY_MS) * DAY_MS : hourMs)
  const asOfMs = request.as_of === undefined ? undefined : known(hourOf(Date.parse(request.as_of)))
  const instantMs = asOfMs ?? nowMs
  const fromMs =
    request.time_window_days === undefined
      ? Number.NEGATIVE_INFINITY
      : known(hourOf(instantMs) - request.time_window_days * DAY_MS)
  const trendingFromMs = Number.isFinite(fromMs)
    ? fromMs
    : asOfMs === undefined
      ? edgeMs
      : known(asOfMs - TRENDING_HOURS * HOUR_MS)
  const lastDayMs = known(hourOf(instantMs) - DAY_MS)
  const rising = { instantMs, lastDayMs, weekBeforeMs: known(lastDayMs - 7 * DAY_MS) }
  const isKnown = ({ occurredAtMs, refType }: NewInteraction) => refType === 'Product' && occurredAtMs < (asOfMs ?? Infinity)
  const isAsked = (productId: string) => {
    const { status, category, quantity } = catalogue.get(productId) ?? { status: 'active', category: null, quantity: null }
    return (
      status === 'active' &&
      (request.in_stock !== true || quantity === null || quantity > 0) &&
      (request.category_ids === undefined || (category !== null && request.category_ids.includes(category)))
    )
  }
  return [...Map.groupBy(events.filter(isKnown), (event) => event.refId)]
    .filter(([productId]) => isAsked(productId))
    .map(([productId, all]) => {
      const inside = all.filter((event) => event.occurredAtMs >= fromMs)
      const numbers = numbersOf(productId, inside, { trendingFromMs, instantMs })
      return { interactions: inside.length, product: { ...numbers, rising_score: risingOf(all, rising) } }
    })
    .filter(({ interactions }) => interactions >= request.min_interactions)
    .map(({ product }) => product)
    .filter((product) => isInMode(request.mode, product))
    .sort((one, other) => compare(request.mode, one, other))
}

const weightOf = (eventType: string) => (PRESETS.balanced as Record<string, number>)[eventType] ?? 0

function numbersOf(
  product_id: string,
  events: readonly NewInteraction[],
  { trendingFromMs, instantMs }: { trendingFromMs: number; instantMs: number },
): Numbers {
  const count = (counter: string) => events.filter((event) => COUNTERS[event.eventType] === counter).length
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0)
  return {
    product_id,
    score: sum(events.map((event) => Math.round(weightOf(event.eventType) * 1e6))) / 1e6,
    trending_score: sum(
      events
        .filter((event) => hourOf(event.occurredAtMs) >= trendingFromMs)
        .map((event) => weightOf(event.eventType) * 0.5 ** ((instantMs - event.occurredAtMs) / HOUR_MS / HALF_LIFE_HOURS)),
    ),
    view_count: count('view_count'),
    purchase_count: count('purchase_count'),
    favorite_count: count('favorite_count'),
    cart_count: count('cart_count'),
    review_count: count('review_count'),
    search_count: count('search_count'),
    search_click_count: count('search_click_count'),
  }
}

function risingOf(
  events: readonly NewInteraction[],
  { instantMs, lastDayMs, weekBeforeMs }: { instantMs: number; lastDayMs: number; weekBeforeMs: number },
): number {
  const liked = events.filter((event) => weightOf(event.eventType) > 0)
  const between = (fromMs: number, toMs: number) =>
    liked.filter((event) => event.occurredAtMs >= fromMs && event.occurredAtMs < toMs).length
  const perMs = between(weekBeforeMs, lastDayMs) / (lastDayMs - weekBeforeMs)
  return (between(lastDayMs, Infinity) + 10) / (perMs * (instantMs - lastDayMs) + 10)
}

const KEYS: Record<Mode, readonly (keyof Numbers)[]> = {
  trending: ['trending_score'],
  most_viewed: ['view_count'],
  most_carted: ['cart_count'],
  most_ordered: ['purchase_count'],
  most_searched: ['search_click_count', 'search_count'],
  overall: ['score'],
  rising: ['rising_score'],
}

function isInMode(mode: Mode, product: Numbers): boolean {
  if (mode === 'trending' || mode === 'overall') return true
  const values = KEYS[mode].map((key) => product[key] as number)
  return values.some((value) => value > (mode === 'rising' ? 1 : 0))
}

/** Floats that differ by less than a billionth are equal: they are added in another order. */
function compare(mode: Mode, one: Numbers, other: Numbers): number {
  for (const key of KEYS[mode]) {
    const difference = (other[key] as number) - (one[key] as number)
    if (Math.abs(difference) > 1e-9) return difference
  }
  return Buffer.compare(Buffer.from(one.product_id), Buffer.from(other.product_id))
}

function hourOf(milliseconds: number): number {
  return Math.floor(milliseconds / HOUR_MS) * HOUR_MS
}
