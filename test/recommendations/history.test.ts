import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { ShopperEvent } from '../../src/ranking/shopper-event.ts'
import { historyOf, type ProfileRow } from '../../src/ranking/recommend/history.ts'
import { strategyOf } from '../../src/ranking/recommend/candidates.ts'
import { NOW_MS } from '../harness/items/recommendations.ts'

const strengthOf = (type: string) => ({ view: 1, purchase: 2 })[type] ?? 0

let events = 0
const event = (productId: string, minutesAgo: number, changes: Partial<ShopperEvent> = {}): ShopperEvent => ({
  eventId: `00000000-0000-4000-8000-${String(++events).padStart(12, '0')}`,
  occurredAtMs: NOW_MS - minutesAgo * 60_000,
  productId,
  eventType: 'view',
  ...changes,
})
const row = (productId: string, minutesAgo: number): ProfileRow => ({
  productId,
  eventType: 'view',
  lastAtMs: NOW_MS - minutesAgo * 60_000,
})

test('a history has each product once, newest first, with its newest event', () => {
  const [lamp, desk, again] = [event('lamp', 3), event('desk', 2), event('lamp', 1, { eventType: 'purchase' })]
  const { items, interactions } = historyOf({ events: [lamp, desk, again], profile: [], profileEvents: 0, strengthOf }, 20)
  expect(items).toEqual([
    { productId: 'lamp', eventId: again.eventId, eventType: 'purchase', occurredAtMs: again.occurredAtMs, strength: 2 },
    { productId: 'desk', eventId: desk.eventId, eventType: 'view', occurredAtMs: desk.occurredAtMs, strength: 1 },
  ])
  expect(interactions).toBe(3)
})

test('events of types without strength are no part of it', () => {
  const source = {
    events: [event('lamp', 1, { eventType: 'dislike' }), event('desk', 2)],
    profile: [],
    profileEvents: 0,
    strengthOf,
  }
  expect(historyOf(source, 20)).toMatchObject({ items: [{ productId: 'desk' }], interactions: 1 })
})

test('the profile goes on where the events end, and its own row of an event adds nothing', () => {
  const lamp = event('lamp', 1)
  const profile = [row('rug', 5), row('lamp', 1), row('desk', 4)]
  const source = { events: [lamp], profile, profileEvents: 9, strengthOf }
  const { items, interactions } = historyOf(source, 20)
  expect(items.map(({ productId, eventId }) => [productId, eventId])).toEqual([
    ['lamp', lamp.eventId],
    ['desk', undefined],
    ['rug', undefined],
  ])
  expect(interactions).toBe(9)
  expect(historyOf(source, 2).items).toHaveLength(2)
})

test('the order and repeats of events and rows change nothing', () => {
  const someEvents = fc.array(
    fc
      .tuple(fc.integer({ min: 0, max: 9 }), fc.nat(5), fc.constantFrom('view', 'purchase', 'dislike'))
      .map(([product, minutes, eventType]) => event(`p${product}`, minutes, { eventType })),
    { maxLength: 30 },
  )
  const someRows = fc.uniqueArray(fc.tuple(fc.integer({ min: 0, max: 9 }), fc.nat(5)), { selector: ([product]) => product })
  const arbitrary = fc.tuple(someEvents, someRows).chain(([kept, rows]) => {
    const profile = rows.map(([product, minutes]) => row(`p${product}`, minutes))
    return fc.tuple(
      fc.constant({ events: kept, profile }),
      fc.record({
        events: fc.shuffledSubarray(kept, { minLength: kept.length }).map((shuffled) => [...shuffled, ...shuffled.slice(0, 3)]),
        profile: fc.shuffledSubarray(profile, { minLength: profile.length }),
      }),
    )
  })
  fc.assert(
    fc.property(arbitrary, ([one, other]) => {
      const rest = { profileEvents: 7, strengthOf }
      expect(historyOf({ ...other, ...rest }, 5)).toEqual(historyOf({ ...one, ...rest }, 5))
    }),
  )
})

test.for([
  [0, 'popular'],
  [4, 'popular'],
  [5, 'personal'],
  [100, 'personal'],
] as const)('%i interactions give %s products', ([count, strategy]) => {
  const profile = count === 0 ? [] : [row('lamp', 1)]
  const { items, interactions } = historyOf({ events: [], profile, profileEvents: count, strengthOf }, 20)
  expect(strategyOf({ items, interactions }, 5)).toBe(strategy)
})

test('a shopper without a history gets popular products, even if none is asked for', () => {
  expect(strategyOf({ items: [], interactions: 0 }, 0)).toBe('popular')
})
