import fc from 'fast-check'
import { expect, test } from 'vitest'
import { contextOf, type ContextSettings } from '../../src/ranking/shopper-context.ts'
import { newestEvents, type ShopperEvent } from '../../src/ranking/shopper-event.ts'
import { referenceContext } from '../harness/reference/shopper-context.ts'

const MINUTE_MS = 60_000
const NOW_MS = Date.parse('2026-03-01T12:00:00Z')
const SETTINGS: ContextSettings = { idleMs: 15 * MINUTE_MS, productsMax: 20 }
const EMPTY = { products: [], categories: [], lastActiveMs: undefined }

function event(minutesAgo: number, changes: Partial<ShopperEvent> = {}): ShopperEvent {
  return {
    eventId: '00000000-0000-4000-8000-000000000000',
    occurredAtMs: NOW_MS - minutesAgo * MINUTE_MS,
    productId: 'lamp',
    eventType: 'view',
    ...changes,
  }
}

const contextAt = (events: readonly ShopperEvent[], nowMs = NOW_MS) => contextOf(events, nowMs, SETTINGS)

test('a shopper without events has an empty context', () => {
  expect(contextAt([])).toEqual(EMPTY)
})

test.for([
  [0, 1],
  [15, 1],
  [15 + 1 / MINUTE_MS, 0],
])('an event of %f minutes ago is in %i contexts', ([minutes, count]) => {
  expect(contextAt([event(minutes!)]).products).toHaveLength(count!)
})

test('a visit reaches back to the first pause of more than 15 minutes', () => {
  const events = [2, 17, 32, 32 + 15 + 1 / MINUTE_MS, 50].map((minutes, place) => event(minutes, { productId: `p${place}` }))
  expect(contextAt(events).products.map(({ productId }) => productId)).toEqual(['p0', 'p1', 'p2'])
})

test('a product is shown once, with its newest event, and each of its events counts for its category', () => {
  const lamp = { category: 'lighting', brand: 'Lumen' }
  const events = [
    event(3, lamp),
    event(1, { ...lamp, eventType: 'add_to_cart' }),
    event(2, { productId: 'desk', category: 'tables' }),
    event(4, { productId: 'rug' }),
  ]
  const { products, categories, lastActiveMs } = contextAt(events)
  expect(products.map(({ productId, eventType }) => [productId, eventType])).toEqual([
    ['lamp', 'add_to_cart'],
    ['desk', 'view'],
    ['rug', 'view'],
  ])
  expect(categories).toEqual([
    { category: 'lighting', count: 2 },
    { category: 'tables', count: 1 },
  ])
  expect(lastActiveMs).toBe(NOW_MS - MINUTE_MS)
})

test('an event of the future is of now, and no time of the context is later', () => {
  const ahead = event(-5)
  expect(contextAt([ahead])).toMatchObject({ products: [{ occurredAtMs: NOW_MS }], lastActiveMs: NOW_MS })
  // Until its own time has passed, it is of now again and again; then its visit lasts for 15 minutes more.
  expect(contextAt([ahead], NOW_MS + 20 * MINUTE_MS).lastActiveMs).toBe(ahead.occurredAtMs)
  expect(contextAt([ahead], NOW_MS + 20 * MINUTE_MS + 1)).toEqual(EMPTY)
  // The pause before it is measured to now as well.
  expect(contextAt([ahead, event(15, { productId: 'desk' })]).products).toHaveLength(2)
})

test('of two versions of an event the one with the category counts, in either order', () => {
  const [bare, full] = [event(1), event(1, { category: 'lighting' })]
  const expected = contextAt([full])
  expect(expected.categories).toEqual([{ category: 'lighting', count: 1 }])
  for (const both of [
    [bare, full],
    [full, bare],
  ])
    expect(contextAt(both)).toEqual(expected)
})

/** Events of six hours until five minutes into the future, of distinct identities; often more than 100, often within a visit. */
const eventsArbitrary = fc.uniqueArray(
  fc.record({
    eventId: fc.uuid(),
    occurredAtMs: fc.oneof(
      fc.integer({ min: NOW_MS - 360 * MINUTE_MS, max: NOW_MS + 5 * MINUTE_MS }),
      fc.integer({ min: NOW_MS - 30 * MINUTE_MS, max: NOW_MS + 5 * MINUTE_MS }),
      // Ties, and pauses of exactly the limit.
      fc.integer({ min: -1, max: 6 }).map((quarter) => NOW_MS - quarter * 15 * MINUTE_MS),
    ),
    productId: fc.integer({ min: 0, max: 40 }).map((number) => `p${number}`),
    eventType: fc.constantFrom('view', 'add_to_cart', 'purchase'),
    category: fc.option(fc.constantFrom('lighting', 'tables', 'Tables', 'ärmel'), { nil: undefined }),
    brand: fc.option(fc.constant('Lumen'), { nil: undefined }),
  }),
  { selector: ({ eventId, occurredAtMs }) => `${occurredAtMs} ${eventId}`, maxLength: 160, size: 'max' },
)

test('the context of any events, in any order, with repeats, is that of the reference', () => {
  const arbitrary = eventsArbitrary.chain((events) => {
    const shuffled = fc.shuffledSubarray(events, { minLength: events.length })
    return fc.tuple(fc.constant(events), shuffled, fc.subarray(events))
  })
  fc.assert(
    fc.property(arbitrary, fc.integer({ min: 1, max: 25 }), ([events, arriving, repeats], productsMax) => {
      const settings = { ...SETTINGS, productsMax }
      expect(contextOf([...arriving, ...repeats], NOW_MS, settings)).toEqual(referenceContext(events, NOW_MS, settings))
    }),
    { numRuns: 500 },
  )
})

test('the newest 100 of parts are the newest 100 of all, so a trimmed store loses nothing', () => {
  fc.assert(
    fc.property(eventsArbitrary, fc.integer({ min: 0, max: 160 }), (events, cut) => {
      const parts = [newestEvents(events.slice(0, cut)), newestEvents(events.slice(cut))]
      expect(newestEvents(parts.flat())).toEqual(newestEvents(events))
    }),
    { numRuns: 500 },
  )
})
