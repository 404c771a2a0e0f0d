import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { z } from 'zod'
import { isPlainAnalyticsEvent } from '../../src/admission/analytics-event.ts'
import { isPlainInteraction } from '../../src/admission/interaction.ts'
import type { PlainItem } from '../../src/admission/plain-item.ts'
import { AnalyticsEvent } from '../../src/contract/analytics-event.ts'
import { readAs } from '../../src/contract/fields/read-as.ts'
import { Interaction } from '../../src/contract/interaction.ts'
import { analyticsTraffic } from '../bench/items/analytics-events.ts'
import { dayOfTraffic } from '../bench/items/events.ts'

const oneOf = (...values: unknown[]) => fc.constantFrom(...values)
const number = fc.oneof(
  fc.integer(),
  fc.double(),
  oneOf(0, -0, 1.5, 2 ** 53, -(2 ** 53), 2 ** 31, 1e13, 1e13 + 1, Infinity, Number.NaN),
)
const TEXTS = ['', 'lamp', '.', '..', 'top', 'a\0', '\ud800', '🛒'.repeat(101), 'x'.repeat(200), 'x'.repeat(201), ' ', '42', 'ä']
const text: fc.Arbitrary<string> = fc.oneof(fc.string({ unit: 'binary', maxLength: 8 }), fc.constantFrom(...TEXTS))
const day = oneOf(
  '2026-03-01',
  '2024-02-29',
  '2026-02-29',
  '2026-02-31',
  '2026-00-10',
  '2026-13-01',
  '0000-01-01',
  '1900-02-29',
  '2026-3-1',
)
const clock = oneOf('00:00:00', '23:59:59', '24:00:00', '12:60:00', '12:00:60', '12:00:00.5', '12:00:00.1234567890', '12:00')
const zone = oneOf('Z', 'z', '+02:00', '', 'ZZ')
const time = fc.tuple(day, oneOf('T', 't', ' '), clock, zone).map((parts) => parts.join(''))
const uuid = fc.oneof(
  fc.uuid(),
  fc.uuid().map((one) => one.toUpperCase()),
  oneOf('00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff', '0190a6c1-8a1e-0000-8000-000000000000'),
  fc.uuid().map((one) => ` ${one}`),
)
const metadata = fc.oneof(
  fc.dictionary(text, fc.oneof(text, number, fc.boolean())),
  fc.jsonValue(),
  oneOf(
    JSON.parse('{"__proto__":1}'),
    { rating: 5 },
    { rating: '4,5' },
    { rating: 6 },
    { rating: null },
    { a: 'x'.repeat(4_081) },
    { a: 'x'.repeat(4_090) },
  ),
)
const anything = fc.oneof(text, number, time, uuid, metadata, oneOf(null, undefined, true, []))
/** Mostly one of the good values, sometimes one that looks like it, and seldom anything. */
const mostly = (likely: fc.Arbitrary<unknown>, ...good: unknown[]) =>
  fc.oneof({ weight: 30, arbitrary: oneOf(...good) }, { weight: 4, arbitrary: likely }, { weight: 1, arbitrary: anything })
const type = oneOf('view', 'purchase', 'rating_low', 'rating_high', 'Wrong', 'x'.repeat(65), 'two words')

const INTERACTION = {
  event_id: mostly(uuid, '0190a6c1-8a1e-7000-8000-000000000000'),
  occurred_at: mostly(time, '2026-03-01T12:00:00Z', '2024-02-29T23:59:59.123456789Z'),
  account_id: mostly(text, 'ada'),
  account_number: mostly(number, 7),
  session_id: mostly(text, 's-1'),
  event_type: mostly(type, 'view', 'rating_low'),
  ref_type: mostly(oneOf('product'), 'Product', 'Category'),
  ref_id: mostly(text, 'lamp'),
  metadata: mostly(metadata, {}, { page: 'home', place: 3 }, { rating: '4,5' }),
  user_agent: mostly(oneOf('x'.repeat(1_000), 'x'.repeat(1_001)), 'a browser'),
}
const MORE = { event_key: text, sent_at: time, ip_address: text, unknown: anything }
const EVENT = {
  source: mostly(oneOf('Wrong', '', 'a b'), 'erp', 'crm-2'),
  external_ref: mostly(text, 'ref'),
  entity_id: mostly(text, 'order'),
  status: mostly(oneOf('done'), 'success', 'pending'),
  processing_ms: mostly(number, 12),
  amount: mostly(number, 1_999),
  currency: mostly(oneOf('XXX', 'eur'), 'EUR'),
  occurred_at: mostly(time, '2026-03-01T12:00:00Z'),
  payload: mostly(metadata, { order: 'A-7' }),
}

const KINDS: [
  what: string,
  schema: z.ZodType,
  isPlain: PlainItem,
  fields: Record<string, fc.Arbitrary<unknown>>,
  required: string[],
][] = [
  ['interactions', Interaction, isPlainInteraction, INTERACTION, ['event_type', 'ref_type', 'ref_id', 'account_id']],
  [
    'analytics events',
    AnalyticsEvent,
    isPlainAnalyticsEvent,
    EVENT,
    ['source', 'external_ref', 'entity_id', 'status', 'occurred_at'],
  ],
]

test.for(KINDS)('the schema accepts, as they are, all %s that are found without it', ([, schema, isPlain, fields, required]) => {
  let found = 0
  const options = { requiredKeys: required, noNullPrototype: true }
  const item = fc.oneof(
    { weight: 8, arbitrary: fc.record(fields, options) },
    { weight: 1, arbitrary: fc.record({ ...fields, ...MORE }, { ...options, requiredKeys: [] }) },
    { weight: 1, arbitrary: anything },
  )
  fc.assert(
    fc.property(item, (sent) => {
      if (!isPlain(sent)) return
      found++
      expect(readAs(schema, sent)).toBe(sent)
      const { data, error } = schema.safeParse(sent)
      expect({ data, error }).toEqual({ data: sent, error: undefined })
    }),
    { numRuns: 20_000 },
  )
  expect(found).toBeGreaterThan(1_000)
})

test('the usual events are found without their schemas', () => {
  for (const item of dayOfTraffic(100)) expect(isPlainInteraction(item)).toBe(true)
  const next = analyticsTraffic('plain')
  for (let n = 0; n < 100; n++) expect(isPlainAnalyticsEvent(next())).toBe(true)
  const more = { metadata: { rating: 4, page: 'home' }, session_id: 's', user_agent: 'a browser', account_number: 7 }
  for (const item of dayOfTraffic(10)) expect(isPlainInteraction({ ...item, ...more })).toBe(true)
})
