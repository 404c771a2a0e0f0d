import fc from 'fast-check'
import { expect, test, vi } from 'vitest'
import { timeOfUuidV7 } from '../../src/contract/fields/event-id.ts'
import { Interaction } from '../../src/contract/interaction.ts'
import type { Popularity } from '../../src/contract/popularity.ts'
import { HOUR_MS } from '../../src/contract/fields/time.ts'
import { PRODUCTS } from '../../src/cli/demo/catalog.ts'
import type { IdentifiedEvent } from '../../src/cli/demo/event.ts'
import { historyOf } from '../../src/cli/demo/history.ts'
import { createLiveStream } from '../../src/cli/demo/live.ts'
import { plain } from '../../src/cli/demo/screen.ts'
import { anyProduct, type Shop, shopOf, sleeperOf } from '../../src/cli/demo/shop.ts'
import { randomOf } from '../../src/cli/demo/random.ts'
import { chapterAt } from '../../src/cli/demo/story.ts'
import { linesOf, movedText, plainLineOf, tallyText, type View } from '../../src/cli/demo/table.ts'
import { PRESETS } from '../../src/ranking/weights.ts'

vi.setConfig({ testTimeout: 30_000 })

const NOW_MS = Date.UTC(2026, 2, 1, 12, 34, 56)
const seeds = fc.integer({ min: 0, max: 2 ** 32 - 1 })
/** Few runs, because a shop has thousands of events. */
const FEW = { numRuns: 6 }
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
  'product_impression',
  'click_from_search',
  'click_from_category',
  'view_similar_products',
  'ask_question',
  'add_to_favorites',
  'add_to_cart',
]

/** The stream of that many seconds at 20 events/s, with unique ids. */
function live(shop: Shop, seconds: number, scores: ReadonlyMap<string, number> = new Map()): IdentifiedEvent[] {
  const next = createLiveStream(shop, sleeperOf(shop, scores), 20)
  return Array.from({ length: seconds * 20 }, (_, index) => {
    const elapsedMs = index * 50
    const idBytes = new Uint8Array(10)
    new DataView(idBytes.buffer).setUint32(6, index)
    return next(chapterAt(elapsedMs).draw, NOW_MS + elapsedMs, idBytes)
  })
}

/** Scores by the balanced weights, one event after the other. */
function scoresOf(events: readonly IdentifiedEvent[]): Map<string, number> {
  const weights: Readonly<Record<string, number>> = PRESETS.balanced
  const scores = new Map<string, number>()
  for (const { ref_type, ref_id, event_type } of events) {
    if (ref_type === 'Product') scores.set(ref_id, (scores.get(ref_id) ?? 0) + weights[event_type]!)
  }
  return scores
}

test('equal seeds give equal events, and different seeds different ones', () => {
  fc.assert(
    fc.property(seeds, (seed) => {
      const events = () => [...historyOf(shopOf(seed), { days: 3, nowMs: NOW_MS }), ...live(shopOf(seed), 30)]
      expect(events()).toEqual(events())
      const other = new Set(historyOf(shopOf(seed + 1), { days: 3, nowMs: NOW_MS }).map(({ event_id }) => event_id))
      expect(events().filter(({ event_id }) => other.has(event_id))).toEqual([])
    }),
    FEW,
  )
})

test('every event is valid, and has a unique id and the time of that id', () => {
  fc.assert(
    fc.property(seeds, (seed) => {
      const shop = shopOf(seed)
      const events = [...historyOf(shop, { days: 7, nowMs: NOW_MS }), ...live(shop, 60)]
      expect(events.filter((event) => !Interaction.safeParse(event).success)).toEqual([])
      expect(events.filter(({ event_id, occurred_at }) => timeOfUuidV7(event_id) !== Date.parse(occurred_at))).toEqual([])
      expect(new Set(events.map(({ event_id }) => event_id)).size).toBe(events.length)
      expect(events.filter(({ occurred_at }) => Date.parse(occurred_at) > NOW_MS + 60_000)).toEqual([])
    }),
    FEW,
  )
})

test('the history of a later hour has the same events for the hours in common', () => {
  const days = 3
  fc.assert(
    fc.property(seeds, fc.integer({ min: 0, max: 50 * HOUR_MS }), (seed, laterMs) => {
      const shop = shopOf(seed)
      const nowMs = NOW_MS + laterMs
      const [first, second] = [historyOf(shop, { days, nowMs: NOW_MS }), historyOf(shop, { days, nowMs })]
      // Returns follow days after a visit, so returns of visits before the later window are not in it.
      const inBoth = new Set(second.map(({ event_id }) => event_id))
      const again = first.filter(({ event_id }) => inBoth.has(event_id))
      expect(again).toEqual(second.slice(0, again.length))
      const endOfFirstMs = Math.floor(NOW_MS / HOUR_MS) * HOUR_MS
      expect(second.filter(({ occurred_at }) => Date.parse(occurred_at) < endOfFirstMs)).toHaveLength(again.length)
      if (Math.floor(nowMs / HOUR_MS) * HOUR_MS === endOfFirstMs) expect(second).toEqual(first)
    }),
    FEW,
  )
})

test('nights are quieter than evenings, every week', () => {
  fc.assert(
    fc.property(seeds, (seed) => {
      const hours = historyOf(shopOf(seed), { days: 7, nowMs: NOW_MS }).map(({ occurred_at }) =>
        Number(occurred_at.slice(11, 13)),
      )
      const nights = hours.filter((hour) => hour < 6).length
      const evenings = hours.filter((hour) => hour >= 18).length
      expect(nights).toBeLessThan(evenings / 4)
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
      const events = [...historyOf(shop, { days: 14, nowMs: NOW_MS }), ...live(shop, 300)]
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
test('the best fifth of the products is viewed more often than all others together', () => {
  const shop = shopOf(1)
  const random = randomOf(1, 'test')
  const ranks = Array.from({ length: 10_000 }, () => shop.ranked.indexOf(anyProduct(shop, random)))
  expect(PRODUCTS).toHaveLength(60)
  expect(new Set(PRODUCTS.map(({ id }) => id)).size).toBe(60)
  expect(ranks.filter((rank) => rank < 12).length).toBeGreaterThan(5_000)
  expect(new Set(ranks).size).toBe(60)
})

test('at 20 events/s an unpopular product is first one minute after the start of the stream', () => {
  fc.assert(
    fc.property(seeds, (seed) => {
      const shop = shopOf(seed)
      const history = historyOf(shop, { days: 7, nowMs: NOW_MS })
      const before = scoresOf(history)
      const { id } = sleeperOf(shop, before)
      const rankOf = (scores: Map<string, number>) =>
        [...scores.values()].filter((score) => score > (scores.get(id) ?? 0)).length + 1
      expect(rankOf(before)).toBeGreaterThan(30)
      expect(rankOf(scoresOf([...history, ...live(shop, 15, before)]))).toBeGreaterThan(20)
      expect(rankOf(scoresOf([...history, ...live(shop, 60, before)]))).toBe(1)
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
