import fc from 'fast-check'
import { sql } from 'kysely'
import { expect } from 'vitest'
import { HOUR_MS } from '../../src/contract/fields/time.ts'
import { MODES, type Mode } from '../../src/contract/popular-list.ts'
import type { NewInteraction } from '../../src/admission/interaction.ts'
import { PRESETS } from '../../src/ranking/weights.ts'
import { spanOf } from '../../src/ranking/span.ts'
import type { Database } from '../../src/store/database/connection.ts'
import { popularRows } from '../../src/store/popularity/popular-list.ts'
import { orderColumns, type PopularPosition, type PopularQuery } from '../../src/store/popularity/popular-order.ts'
import { refreshRising } from '../../src/store/popularity/rising.ts'
import { rolledToMsOf, rollUpSome } from '../../src/store/popularity/roll-up.ts'
import { interaction, recordAndCount } from '../harness/items/events.ts'
import { pgTest as test } from '../harness/fixtures.ts'
import { clear } from '../harness/servers/database.ts'

const NOW_MS = Math.floor(Date.now() / 1_000) * 1_000
const PRODUCTS = 24
const MODE_NAMES = Object.keys(MODES) as Mode[]
/** Some products have many events, some have only bad ones, and what was good long ago need not be good now. */
const TYPES = [...Object.keys(PRESETS.balanced), 'view', 'view', 'purchase', 'add_to_cart', 'click_from_search', 'unheard_of']

const eventsArbitrary: fc.Arbitrary<NewInteraction[]> = fc
  .array(
    fc.record({
      product: fc.tuple(fc.nat(PRODUCTS - 1), fc.nat(PRODUCTS - 1)).map(([one, other]) => Math.min(one, other)),
      eventType: fc.constantFrom(...TYPES),
      isRecent: fc.boolean(),
      ageMs: fc.nat({ max: 10 * 24 * HOUR_MS }),
      count: fc.constantFrom(1, 1, 2, 9),
    }),
    { minLength: 60, maxLength: 120 },
  )
  .map((drawn) =>
    drawn.flatMap(({ product, eventType, isRecent, ageMs, count }) =>
      Array.from({ length: count }, () =>
        interaction({
          // Other products are good now than were good before.
          refId: `p-${isRecent ? product : PRODUCTS - 1 - product}`,
          eventType,
          occurredAtMs: NOW_MS - (isRecent ? ageMs / 3 : ageMs * 9),
        }),
      ),
    ),
  )

const requestArbitrary = fc.record({
  mode: fc.constantFrom(...MODE_NAMES),
  limit: fc.integer({ min: 1, max: 5 }),
  minInteractions: fc.constantFrom(1, 1, 3),
  windowDays: fc.constantFrom(undefined, 1, 7, 30),
  ageMs: fc.constantFrom(undefined, undefined, 0, 30 * HOUR_MS, 20 * 24 * HOUR_MS),
  inStock: fc.boolean(),
})

/** Nothing is before it, so that a list after it is the whole list. */
const beforeAll = (mode: Mode): PopularPosition => ({ values: orderColumns(mode).map(() => '999999999999999999'), productId: '' })

test.for([
  ['of hours', undefined],
  ['of hours and days', 12],
])(
  'the best products of a span are found among the candidates: %s',
  { timeout: 120_000 },
  async ([_what, rolledDays], { db }) => {
    await clear(db)
    if (rolledDays !== undefined) await rollUpSome(db, rolledDays as number)
    const rolledToMs = await rolledToMsOf(db)
    await fc.assert(
      fc.asyncProperty(
        eventsArbitrary,
        fc.subarray(
          Array.from({ length: PRODUCTS }, (_, n) => n),
          { maxLength: 4 },
        ),
        fc.array(requestArbitrary, { minLength: 16, maxLength: 16 }),
        async (events, hidden, requests) => {
          await clear(db)
          await sql`delete from catalog.product`.execute(db)
          await hide(db, hidden)
          await recordAndCount(db, events)
          await refreshRising(db, NOW_MS)
          for (const { windowDays, ageMs, ...request } of requests) {
            const asOfMs = ageMs === undefined ? undefined : NOW_MS - ageMs
            if (windowDays === undefined && asOfMs === undefined) continue
            const span = spanOf({ windowDays, asOfMs, nowMs: NOW_MS, rolledToMs })
            const query = { ...request, span, categoryIds: undefined, after: undefined }
            expect(await productsIn(db, query)).toEqual(await productsIn(db, { ...query, after: beforeAll(request.mode) }))
          }
        },
      ),
      { numRuns: 10, endOnFailure: true },
    )
  },
)

const productsIn = async (db: Database, query: PopularQuery) =>
  (await popularRows(db, query)).map(({ position: { productId, values } }) => [productId, ...values])

async function hide(db: Database, products: readonly number[]): Promise<void> {
  await sql`
    insert into catalog.product (product_id, name, status, quantity, updated_at, call_id)
    select 'p-' || n, 'n', case when n % 2 = 0 then 'hidden' else 'active' end, 0, now(), gen_random_uuid()
    from unnest(${products}::int[]) n`.execute(db)
}
