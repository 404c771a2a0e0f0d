import fc from 'fast-check'
import { expect } from 'vitest'
import { DAY_MS, HOUR_MS } from '../../src/contract/fields/time.ts'
import { SeriesResponse, type SeriesRequest } from '../../src/contract/series.ts'
import { rolledToMsOf, rollUpSome } from '../../src/store/popularity/roll-up.ts'
import { productSeries } from '../../src/store/popularity/series.ts'
import type { NewInteraction } from '../../src/admission/interaction.ts'
import { clear } from '../harness/servers/database.ts'
import { pgTest as test } from '../harness/fixtures.ts'
import { interaction, recordAndCount } from '../harness/items/events.ts'

const NOW_MS = Math.floor(Date.now() / 1_000) * 1_000
const PRODUCTS = ['a', 'b', 'Ünïcode 🛒', 'never']
const TYPES = ['view', 'purchase', 'unheard_of']
/** Behind the trending window, but later than many events. */
const ROLL_UP_DAYS = 10

const eventArbitrary = fc
  .record({
    refId: fc.constantFrom(...PRODUCTS.slice(0, 3)),
    refType: fc.constantFrom('Product' as const, 'Product' as const, 'Category' as const),
    eventType: fc.constantFrom(...TYPES),
    ageMs: fc.oneof(
      fc.nat({ max: 30 * HOUR_MS }),
      fc.nat({ max: 20 * DAY_MS }),
      fc.constantFrom(23, 24, 167, 168).map((hours) => hours * HOUR_MS),
      fc.nat({ max: 370 }).map((days) => days * DAY_MS),
    ),
  })
  .map(({ ageMs, ...rest }) => interaction({ ...rest, occurredAtMs: NOW_MS - ageMs }))

const requestArbitrary: fc.Arbitrary<SeriesRequest> = fc.record(
  {
    product_ids: fc.array(fc.constantFrom(...PRODUCTS), { minLength: 1, maxLength: 5 }),
    hours: fc.oneof(fc.integer({ min: 1, max: 168 }), fc.constantFrom(24, 168, 169, 720, 8_784)),
    event_types: fc.subarray(TYPES, { minLength: 1 }),
    as_of: fc
      .oneof(fc.nat({ max: 20 * DAY_MS }), fc.nat({ max: 400 * DAY_MS }))
      .map((ageMs) => new Date(NOW_MS - ageMs).toISOString()),
  },
  { requiredKeys: ['product_ids', 'hours'] },
)

/** Whether an event is in the series: the reference for one bucket. */
const countIn = (
  events: readonly NewInteraction[],
  product: string,
  types: readonly string[],
  [fromMs, toMs]: [number, number],
) =>
  events.filter(
    ({ refType, refId, eventType, occurredAtMs }) =>
      refType === 'Product' && refId === product && types.includes(eventType) && occurredAtMs >= fromMs && occurredAtMs < toMs,
  ).length

test.for([
  ['of hours', false],
  ['of hours and days', true],
])('every series agrees with the events: %s', { timeout: 120_000 }, async ([_what, isRolledUp], { db }) => {
  if (isRolledUp) await rollUpSome(db, ROLL_UP_DAYS)
  const rolledToMs = await rolledToMsOf(db)
  const scenario = fc.record({
    events: fc.array(eventArbitrary, { minLength: 1, maxLength: 60 }),
    requests: fc.array(requestArbitrary, { minLength: 8, maxLength: 8 }),
  })
  await fc.assert(
    fc.asyncProperty(scenario, async ({ events, requests }) => {
      await clear(db)
      await recordAndCount(db, events)
      for (const request of requests) {
        const { data, meta } = SeriesResponse.parse(await productSeries(db, request, NOW_MS))
        const [fromMs, toMs] = [Date.parse(meta.from), Date.parse(meta.to)]
        const stepMs = meta.step === 'hour' ? HOUR_MS : DAY_MS
        const asOfMs = request.as_of === undefined ? undefined : Date.parse(request.as_of)
        const hourMs = asOfMs === undefined ? undefined : Math.floor(asOfMs / HOUR_MS) * HOUR_MS
        const endMs = hourMs !== undefined && hourMs < rolledToMs ? Math.floor(hourMs / DAY_MS) * DAY_MS : hourMs
        // Hours, unless there are too many or they were made into days.
        const isByHour = request.hours <= 168 && (endMs ?? NOW_MS + HOUR_MS) - request.hours * HOUR_MS >= rolledToMs
        expect(meta.step).toBe(isByHour ? 'hour' : 'day')
        // The last one has the last instant of the series.
        const lastMs = endMs === undefined ? NOW_MS : endMs - 1
        expect(lastMs >= toMs - stepMs && lastMs < toMs).toBe(true)
        expect(toMs - fromMs).toBe((isByHour ? request.hours : Math.ceil(request.hours / 24)) * stepMs)
        expect(data.map((series) => series.product_id)).toEqual([...new Set(request.product_ids)])
        for (const { product_id, counts, event_types } of data) {
          const expected = (types: readonly string[]) =>
            Array.from({ length: (toMs - fromMs) / stepMs }, (_, place) => {
              const start = fromMs + place * stepMs
              return countIn(events, product_id, types, [start, Math.min(start + stepMs, endMs ?? Number.POSITIVE_INFINITY)])
            })
          expect(counts).toEqual(expected(request.event_types ?? TYPES))
          expect(Object.keys(event_types)).toEqual(request.event_types ?? [])
          for (const [type, ofType] of Object.entries(event_types)) expect(ofType).toEqual(expected([type]))
        }
      }
    }),
    { numRuns: 15 },
  )
})

test('an event of a clock that is ahead is not in a series until it has come', async ({ db }) => {
  await clear(db)
  const dayMs = Math.floor(NOW_MS / DAY_MS) * DAY_MS
  const lastMs = dayMs - 1
  await recordAndCount(
    db,
    [lastMs, dayMs + 60_000].map((occurredAtMs) => interaction({ refId: 'a', occurredAtMs })),
  )
  const ask = async (hours: number, nowMs: number) =>
    (await productSeries(db, { product_ids: ['a'], hours }, nowMs)).data[0]!.counts
  expect(await ask(2, lastMs)).toEqual([0, 1])
  expect(await ask(192, lastMs)).toEqual([0, 0, 0, 0, 0, 0, 0, 1])
  expect(await ask(2, dayMs)).toEqual([1, 1])
})

test('an answer has a bounded number of numbers', async ({ db }) => {
  const products = (count: number) => Array.from({ length: count }, (_, n) => `p${n}`)
  const types = (count: number) => Array.from({ length: count }, (_, n) => `t${n}`)
  const ask = (count: number, ofTypes: number) =>
    productSeries(db, { product_ids: products(count), hours: 168, event_types: types(ofTypes) }, NOW_MS)
  expect((await ask(100, 10)).data).toHaveLength(100)
  await expect(ask(100, 11)).rejects.toThrow('the answer would have 201600 numbers, and at most 200000 are possible')
})
