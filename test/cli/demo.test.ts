import { isDeepStrictEqual } from 'node:util'
import fc from 'fast-check'
import { expect, test, vi } from 'vitest'
import { timeOfUuidV7 } from '../../src/contract/fields/event-id.ts'
import { AnalyticsEvent } from '../../src/contract/analytics-event.ts'
import { Interaction } from '../../src/contract/interaction.ts'
import { PaymentCallback } from '../../src/contract/payment.ts'
import { Product } from '../../src/contract/product.ts'
import { Search } from '../../src/contract/search.ts'
import type { Popularity } from '../../src/contract/popularity.ts'
import { HOUR_MS } from '../../src/contract/fields/time.ts'
import { CATALOG_PRODUCTS, PRODUCTS } from '../../src/cli/demo/catalog.ts'
import { historyOf } from '../../src/cli/demo/history.ts'
import type { IdentifiedEvent, Item } from '../../src/cli/demo/item.ts'
import { createLiveStream } from '../../src/cli/demo/live.ts'
import { operationsOf } from '../../src/cli/demo/operations.ts'
import { rejectedLike } from '../../src/cli/demo/rejected.ts'
import { plain } from '../../src/cli/demo/screen.ts'
import { anyProduct, type Shop, shopOf, sleeperOf } from '../../src/cli/demo/shop.ts'
import { randomOf } from '../../src/cli/demo/random.ts'
import { chapterAt, rateAt } from '../../src/cli/demo/story.ts'
import { linesOf, movedText, plainLineOf, tallyText, type View } from '../../src/cli/demo/table.ts'
import { PRESETS } from '../../src/ranking/weights.ts'

vi.setConfig({ testTimeout: 30_000 })

const NOW_MS = Date.UTC(2026, 2, 1, 12, 34, 56)
const seeds = fc.integer({ min: 0, max: 2 ** 32 - 1 })
/** Few runs, because a shop has thousands of events. */
const FEW = { numRuns: 4 }
/** Facts that are only very likely are tested with the same seeds each time. */
const LIKELY = { ...FEW, seed: 1 }

/** The events that must precede an event, of the same shopper and product. */
const NEEDS: Readonly<Record<string, string>> = {
  purchase: 'checkout_started',
  checkout_started: 'add_to_cart',
  remove_from_cart: 'add_to_cart',
  return_product: 'purchase',
  refund_requested: 'return_product',
  cancel_order: 'purchase',
  rating_low: 'purchase',
  rating_medium: 'purchase',
  rating_high: 'purchase',
  write_review: 'purchase',
}
/** Other events of shoppers. */
const FREE = [
  'view',
  'view_bounce',
  'click_from_search',
  'click_from_category',
  'view_similar_products',
  'ask_question',
  'add_to_favorites',
  'add_to_cart',
]

const RATE = 0.25
const TICK_MS = 500
/** A history with fewer events than usual. */
const THIN = { nowMs: NOW_MS, rate: 0.05, hasCallbacks: true }

/** What happens in so many seconds of the stream, with unique ids. */
function live(shop: Shop, seconds: number, { hasCallbacks = true, scores = new Map<string, number>() } = {}): Item[] {
  const next = createLiveStream(shop, sleeperOf(shop, scores), hasCallbacks)
  const items: Item[] = []
  let [owed, made] = [0, 0]
  const idBytesOf = () => {
    const idBytes = new Uint8Array(10)
    new DataView(idBytes.buffer).setUint32(6, made++)
    return idBytes
  }
  for (let elapsedMs = 0; elapsedMs < seconds * 1_000; elapsedMs += TICK_MS) {
    const perSecond = rateAt(elapsedMs, RATE, NOW_MS)
    owed += (perSecond * TICK_MS) / 1_000
    const { draw } = chapterAt(elapsedMs)
    for (; owed >= 1; owed--)
      items.push(...next({ occurredAtMs: NOW_MS + elapsedMs, draw, crowd: Math.max(1, Math.round(perSecond)), idBytesOf }))
  }
  return items
}

function interactionsOf(items: readonly Item[]): IdentifiedEvent[] {
  return items.flatMap((each) => (each.kind === 'interaction' ? [each.item] : []))
}

function idOf({ kind, item }: Item): string {
  return kind === 'payment' ? item.callback_id : item.event_id
}

/** Trending scores by the balanced weights, as of now. */
function trendingOf(items: readonly Item[]): Map<string, number> {
  const weights: Readonly<Record<string, number>> = PRESETS.balanced
  const scores = new Map<string, number>()
  for (const { ref_type, ref_id, event_type, occurred_at } of interactionsOf(items)) {
    const decay = 0.5 ** ((NOW_MS - Date.parse(occurred_at)) / (72 * HOUR_MS))
    if (ref_type === 'Product') scores.set(ref_id, (scores.get(ref_id) ?? 0) + weights[event_type]! * decay)
  }
  return scores
}

test('equal seeds give equal events, and different seeds different ones', () => {
  fc.assert(
    fc.property(seeds, (seed) => {
      const items = () => [...historyOf(shopOf(seed), { ...THIN, days: 3 }), ...live(shopOf(seed), 30)]
      // Faster than toEqual, which takes seconds for thousands of events.
      expect(isDeepStrictEqual(items(), items())).toBe(true)
      const other = new Set(historyOf(shopOf(seed + 1), { ...THIN, days: 3 }).map(idOf))
      expect(items().filter((item) => other.has(idOf(item)))).toEqual([])
      const operations = () => operationsOf(seed, { days: 3, nowMs: NOW_MS })
      expect(isDeepStrictEqual(operations(), operations())).toBe(true)
    }),
    FEW,
  )
})

test('every item is valid, and has a unique id and the time of that id', () => {
  const schemas = { interaction: Interaction, search: Search, payment: PaymentCallback }
  fc.assert(
    fc.property(seeds, (seed) => {
      const shop = shopOf(seed)
      const items = [...historyOf(shop, { ...THIN, days: 7 }), ...live(shop, 60)]
      expect(items.filter(({ kind, item }) => !schemas[kind].safeParse(item).success)).toEqual([])
      const wrong = items.filter(
        ({ kind, item }) => kind !== 'payment' && timeOfUuidV7(item.event_id) !== Date.parse(item.occurred_at),
      )
      expect(wrong).toEqual([])
      expect(new Set(items.map(idOf)).size).toBe(items.length)
      expect(items.filter(({ item }) => Date.parse(item.occurred_at) > NOW_MS + 60_000)).toEqual([])
      const operations = operationsOf(seed, { days: 7, nowMs: NOW_MS })
      expect(operations.filter((operation) => !AnalyticsEvent.safeParse(operation).success)).toEqual([])
      expect(new Set(operations.map(({ external_ref }) => external_ref)).size).toBe(operations.length)
    }),
    FEW,
  )
})

test('a later history adds only events that happened since', () => {
  fc.assert(
    fc.property(seeds, fc.integer({ min: 0, max: 50 * HOUR_MS }), (seed, laterMs) => {
      const shop = shopOf(seed)
      const first = new Set(historyOf(shop, { ...THIN, days: 3 }).map(idOf))
      const second = historyOf(shop, { ...THIN, days: 3, nowMs: NOW_MS + laterMs })
      const added = second.filter((item) => !first.has(idOf(item)))
      expect(added.filter(({ item }) => Date.parse(item.occurred_at) < NOW_MS)).toEqual([])
      if (laterMs === 0) expect(second).toHaveLength(first.size)
    }),
    FEW,
  )
})

test('nights are quieter than evenings, and the last day has the rate of the stream', () => {
  fc.assert(
    fc.property(seeds, (seed) => {
      const day = historyOf(shopOf(seed), { ...THIN, rate: RATE, days: 1 })
      const hours = day.map(({ item }) => Number(item.occurred_at.slice(11, 13)))
      const nights = hours.filter((hour) => hour < 6).length
      const evenings = hours.filter((hour) => hour >= 18).length
      expect(nights).toBeLessThan(evenings / 3)
      const expected = RATE * 24 * 3_600
      expect(Math.abs(day.length - expected)).toBeLessThan(expected / 10)
    }),
    LIKELY,
  )
})

test('shoppers buy only from their carts, and return, rate or cancel only what they bought', () => {
  fc.assert(
    fc.property(seeds, (seed) => {
      const shop = shopOf(seed)
      const seen = new Set<string>()
      const missing: string[] = []
      const changes = { hasCallbacks: false }
      const items = [...historyOf(shop, { ...THIN, ...changes, rate: RATE, days: 2 }), ...live(shop, 120, changes)]
      const events = interactionsOf(items)
      for (const { account_id, session_id, event_type, ref_id } of events) {
        const needed = `${account_id} ${session_id} ${NEEDS[event_type]} ${ref_id}`
        if (NEEDS[event_type] !== undefined && !seen.has(needed)) missing.push(`${event_type} without ${needed}`)
        seen.add(`${account_id} ${session_id} ${event_type} ${ref_id}`)
      }
      expect(missing).toEqual([])
      expect(new Set(events.map(({ event_type }) => event_type))).toEqual(new Set([...Object.keys(NEEDS), ...FREE]))
    }),
    LIKELY,
  )
})

test('searches find products, nothing, and products that no shopper clicks', () => {
  const items = historyOf(shopOf(1), { ...THIN, rate: RATE, days: 3 })
  const searches = items.flatMap((each) => (each.kind === 'search' ? [each.item] : []))
  const clicked = new Set(interactionsOf(items).map(({ metadata }) => metadata?.['query']))
  expect(searches.filter(({ product_ids }) => product_ids.length === 0).length).toBeGreaterThan(50)
  expect(searches.filter(({ query }) => clicked.has(query)).length).toBeGreaterThan(500)
  expect(searches.filter(({ query, product_ids }) => product_ids.length > 0 && !clicked.has(query)).length).toBeGreaterThan(50)
})

test('four sellers are paid in two currencies, and give money back', () => {
  const items = historyOf(shopOf(1), { ...THIN, rate: RATE, days: 3 })
  const payments = items.flatMap((each) => (each.kind === 'payment' ? [each.item] : []))
  const sellerOf = new Map(CATALOG_PRODUCTS.map(({ product_id, seller_id }) => [product_id, seller_id]))
  const sold = payments.filter(({ status }) => status === 'success')
  const sellers = sold.flatMap(({ items: lines = [] }) => lines.map(({ product_id }) => sellerOf.get(product_id!)))
  expect(new Set(sellers).size).toBe(4)
  expect(new Set(sold.map(({ currency }) => currency))).toEqual(new Set(['EUR', 'USD']))
  expect(new Set(payments.map(({ status }) => status))).toEqual(
    new Set(['success', 'failed', 'pending', 'cancelled', 'refunded']),
  )
})

test('the catalog has products that are low, sold out, never seen and hidden', () => {
  const quantities = PRODUCTS.map(({ quantity }) => quantity)
  expect(CATALOG_PRODUCTS.filter((product) => !Product.safeParse(product).success)).toEqual([])
  expect(quantities.filter((quantity) => quantity === 0).length).toBeGreaterThan(2)
  expect(quantities.filter((quantity) => quantity > 0 && quantity < 10).length).toBeGreaterThan(3)
  const visited = new Set(PRODUCTS.map(({ id }) => id))
  expect(CATALOG_PRODUCTS.filter(({ product_id, status }) => status === 'active' && !visited.has(product_id))).toHaveLength(4)
  expect(CATALOG_PRODUCTS.filter(({ status }) => status === 'hidden')).toHaveLength(2)
})

test('each mistake is rejected, or lies outside the time that is recorded', () => {
  const [event] = interactionsOf(historyOf(shopOf(1), { ...THIN, days: 1 }))
  const problems = Array.from({ length: 5 }, (_, number) => {
    const rejected = rejectedLike(event!, number, NOW_MS)
    const { success, data } = Interaction.safeParse(rejected)
    return success ? data.occurred_at! : Interaction.safeParse(rejected).error!.issues[0]!.path.join('.')
  })
  expect(problems).toEqual(['ref_id', 'event_type', 'account_id', '2026-03-01T15:34:56.000Z', '1970-01-01T00:00:12Z'])
})

test('the best fifth of the products is viewed more often than all others together', () => {
  const shop = shopOf(1)
  const random = randomOf(1, 'test')
  const ranks = Array.from({ length: 10_000 }, () => shop.ranked.indexOf(anyProduct(shop, random)))
  expect(PRODUCTS).toHaveLength(60)
  expect(new Set(PRODUCTS.map(({ id }) => id)).size).toBe(60)
  expect(ranks.filter((rank) => rank < 12).length).toBeGreaterThan(5_000)
  expect(new Set(ranks).size).toBe(60)
})

test('an unpopular product is first in trending before the viral part of the stream ends', () => {
  fc.assert(
    fc.property(seeds, (seed) => {
      const shop = shopOf(seed)
      // Payments become interactions, as they do when they are counted.
      const history = historyOf(shop, { ...THIN, rate: RATE, days: 2, hasCallbacks: false })
      const before = trendingOf(history)
      const { id } = sleeperOf(shop, before)
      const rankOf = (scores: Map<string, number>) =>
        [...scores.values()].filter((score) => score > (scores.get(id) ?? 0)).length + 1
      const during = live(shop, 90, { hasCallbacks: false, scores: before })
      expect(rankOf(before)).toBeGreaterThan(30)
      expect(rankOf(trendingOf([...history, ...during]))).toBe(1)
    }),
    LIKELY,
  )
})

test('the next run lets another product go viral', () => {
  const shop = shopOf(1)
  const first = sleeperOf(shop, new Map())
  expect(sleeperOf(shop, new Map([[first.id, 100]]))).not.toEqual(first)
})

const popularity = (product_id: string, score: number, trending_score = score): Popularity => ({
  product_id,
  score,
  trending_score,
  view_count: 3,
  purchase_count: 1,
  favorite_count: 0,
  cart_count: 0,
  review_count: 0,
  search_count: 0,
  search_click_count: 0,
  last_interaction: '2026-03-01T12:00:00.000Z',
  date_updated: '2026-03-01T12:00:00.000Z',
})
const VIEW: View = {
  top: [
    popularity('brass-lamp', 30, 2),
    popularity('oil-lamp', 20, 3),
    popularity('candle-jar', 10, 1),
    popularity('new-thing', 1, 0),
  ],
  startRanks: new Map([
    ['oil-lamp', 1],
    ['brass-lamp', 2],
    ['candle-jar', 3],
  ]),
  sleeperId: 'candle-jar',
  tally: { sent: 1_204, accepted: 1_200, duplicates: 4, rejected: 0 },
  story: 'candle-jar goes viral',
}

test('the list shows the best products, their movement, and always the sleeper', () => {
  expect(linesOf(VIEW, 2).map(({ text }) => text.trim().split(/ +/).join(' '))).toEqual([
    'rank product score trending views purchases',
    '1 ▲1 brass-lamp 30.0 2.0 3 1',
    '2 ▼1 oil-lamp 20.0 3.0 3 1',
    '3 candle-jar 10.0 1.0 3 1',
    '',
    '1,204 sent, 1,200 accepted, 4 duplicates; first in trending: oil-lamp',
    'candle-jar goes viral',
  ])
  const widths = linesOf(VIEW, 12).slice(0, 5)
  expect(new Set(widths.map(({ text }) => text.length)).size).toBe(1)
  expect(movedText(undefined, 4)).toBe('new')
})

test('without a terminal a line says the same every ten seconds', () => {
  const printed: string[] = []
  let nowMs = 0
  const screen = plain(
    (line) => printed.push(line),
    () => nowMs,
  )
  for (; nowMs < 25_000; nowMs += 2_000) screen.show(VIEW)
  expect(printed).toEqual(Array.from({ length: 3 }, () => plainLineOf(VIEW)))
  expect(printed[0]).toBe(
    '1,204 sent, 1,200 accepted, 4 duplicates; top: brass-lamp 30.0, oil-lamp 20.0, candle-jar 10.0; candle-jar is number 3; first in trending: oil-lamp; candle-jar goes viral',
  )
  expect(plainLineOf({ ...VIEW, top: [] })).toContain('top: nothing yet; first in trending: nothing yet')
  expect(tallyText({ ...VIEW.tally, rejected: 2 })).toBe('1,204 sent, 1,200 accepted, 4 duplicates, 2 rejected')
})
