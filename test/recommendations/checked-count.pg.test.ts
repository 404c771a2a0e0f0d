import fc from 'fast-check'
import { sql } from 'kysely'
import { expect } from 'vitest'
import { VERSION_DEFAULTS, type VersionSettings } from '../../src/ranking/similarity/version-settings.ts'
import type { Database } from '../../src/store/database/connection.ts'
import { makeVersion } from '../../src/store/similarity/make-version.ts'
import { rowsOf } from '../../src/store/similarity/rows.ts'
import { completeSimilarityRun } from '../../src/store/similarity/run-machine.ts'
import { pgTest as test } from '../harness/fixtures.ts'
import { interaction, record } from '../harness/items/events.ts'
import { similarityInProcess } from '../harness/items/similarity-in-process.ts'
import { beginRunOf, productIdsOf } from '../harness/items/similarity.ts'
import { BLOCKS } from '../harness/programs/docs.ts'
import { clear } from '../harness/servers/database.ts'

test.beforeEach(({ db }) => clear(db))

const NOW_MS = Date.now()
/** The queries of docs/recommendations.md. */
const [PAIRS, TOGETHER] = BLOCKS.filter(({ page, language }) => page === 'docs/recommendations.md' && language === 'sql').map(
  ({ text }) => text,
)

/** Makes a version with these settings, and puts it in force. */
async function make(db: Database, settings: VersionSettings): Promise<number> {
  const runId = await beginRunOf(db)
  const version = (await makeVersion(db, runId, settings, similarityInProcess))!
  await completeSimilarityRun(db, runId, version)
  return version
}

/** What the query counts for two products, with the bounds of the settings in the place of the usual ones. */
async function counted(db: Database, [one, other]: [string, string], settings: VersionSettings): Promise<number> {
  const text = PAIRS!
    .replaceAll("'lamp'", `'${one}'`)
    .replaceAll("'shade'", `'${other}'`)
    .replace('place <= 50', `place <= ${settings.shopperEventsMax}`)
    .replace('of_busiest_day <= 1000', `of_busiest_day <= ${settings.botEventsPerDay}`)
    .replace('newest <= 2000', `newest <= ${settings.productEventsMax}`)
    .replace('a.place - b.place) <= 20', `a.place - b.place) <= ${settings.window}`)
  const { rows } = await sql.raw<{ pairs: string }>(text).execute(db)
  return Number(rows[0]!.pairs)
}

/** The same for products that were bought together. */
async function boughtTogether(db: Database, [one, other]: [string, string], settings: VersionSettings): Promise<number> {
  const text = TOGETHER!
    .replaceAll("'lamp'", `'${one}'`)
    .replaceAll("'shade'", `'${other}'`)
    .replace('place <= 50', `place <= ${settings.basketProductsMax}`)
    .replace('newest <= 2000', `newest <= ${settings.productEventsMax}`)
  const { rows } = await sql.raw<{ together: string }>(text).execute(db)
  return Number(rows[0]!.together)
}

const SHOPPERS = [
  { accountId: 'a0', sessionId: null },
  { accountId: null, sessionId: 's0' },
  { accountId: 'a1', sessionId: 's0' },
  { accountId: null, sessionId: 's1' },
]
const TYPES = ['view', 'view', 'purchase', 'dislike', 'unheard_of']

const eventArbitrary = fc.record({
  shopper: fc.nat(SHOPPERS.length - 1),
  product: fc.nat(3),
  type: fc.nat(TYPES.length - 1),
  // Often at the same instant, and on three days.
  minute: fc.oneof(fc.nat(5), fc.nat(3 * 1_440)),
})
const boundsArbitrary = fc.oneof(
  fc.constant({}),
  fc.record({
    window: fc.integer({ min: 1, max: 5 }),
    shopperEventsMax: fc.integer({ min: 2, max: 12 }),
    productEventsMax: fc.integer({ min: 1, max: 10 }),
    botEventsPerDay: fc.integer({ min: 3, max: 20 }),
    eventsMax: fc.integer({ min: 10, max: 60 }),
  }),
)

test('the query of the docs counts the pairs of every neighbour, with any bounds', { timeout: 120_000 }, async ({ db }) => {
  await fc.assert(
    fc.asyncProperty(fc.array(eventArbitrary, { minLength: 5, maxLength: 60 }), boundsArbitrary, async (events, bounds) => {
      await clear(db)
      const rows = events.map(({ shopper, product, type, minute }) =>
        interaction({
          ...SHOPPERS[shopper]!,
          refId: `p${product}`,
          eventType: TYPES[type]!,
          occurredAtMs: NOW_MS - minute * 60_000,
        }),
      )
      await record(db, rows)
      await sql`insert into shopper_redirect (session_id, account_id) values ('s0', 'a0')`.execute(db)
      const settings = { ...VERSION_DEFAULTS, ...bounds }
      const version = await make(db, settings)
      // Neither is in the version.
      await record(db, [interaction({ refId: 'p0' }), interaction({ refId: 'p1' })])
      await sql`insert into shopper_redirect (session_id, account_id, merged_at) values ('s1', 'a0', clock_timestamp())`.execute(
        db,
      )
      const { rows: products } = await sql<{ count: number }>`
        select count(*)::int as count from similarity_product where version = ${version}`.execute(db)
      const ids = await productIdsOf(db, version, products[0]!.count)
      for (const row of await rowsOf(db, version, [...ids.keys()])) {
        const pairsOf = new Map(Array.from(row.neighbours, (other, at) => [other, row.counts[at]!]))
        for (const [other, id] of ids.entries()) {
          if (other === row.productNo) continue
          const pair: [string, string] = [ids[row.productNo]!, id]
          expect([pair, await counted(db, pair, settings)]).toEqual([pair, pairsOf.get(other) ?? 0])
        }
      }
    }),
    { numRuns: 25 },
  )
})

const purchaseArbitrary = fc.record({
  shopper: fc.nat(SHOPPERS.length - 1),
  order: fc.option(fc.nat(2), { freq: 2 }),
  product: fc.nat(5),
  minute: fc.oneof(fc.nat(3), fc.nat(1_440)),
})
const basketBoundsArbitrary = fc.oneof(
  fc.constant({}),
  fc.record({
    basketProductsMax: fc.integer({ min: 2, max: 4 }),
    productEventsMax: fc.integer({ min: 1, max: 5 }),
    eventsMax: fc.integer({ min: 10, max: 60 }),
  }),
)

test('the query of the docs counts what was bought together, with any bounds', { timeout: 120_000 }, async ({ db }) => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(purchaseArbitrary, { minLength: 5, maxLength: 60 }),
      basketBoundsArbitrary,
      async (events, bounds) => {
        await clear(db)
        const rows = events.map(({ shopper, order, product, minute }) =>
          interaction({
            ...SHOPPERS[shopper]!,
            refId: `p${product}`,
            eventType: 'purchase',
            occurredAtMs: NOW_MS - minute * 60_000,
            ...(order !== null && { metadata: { order_id: `o${order}` } }),
          }),
        )
        await record(db, rows)
        const settings = { ...VERSION_DEFAULTS, ...bounds }
        const version = await make(db, settings)
        const { rows: products } = await sql<{ count: number }>`
        select count(*)::int as count from similarity_product where version = ${version}`.execute(db)
        const ids = await productIdsOf(db, version, products[0]!.count)
        for (const row of await rowsOf(db, version, [...ids.keys()])) {
          const togetherOf = new Map(Array.from(row.bought, (other, at) => [other, row.boughtCounts[at]!]))
          for (const [other, id] of ids.entries()) {
            if (other === row.productNo) continue
            const pair: [string, string] = [ids[row.productNo]!, id]
            expect([pair, await boughtTogether(db, pair, settings)]).toEqual([pair, togetherOf.get(other) ?? 0])
          }
        }
      },
    ),
    { numRuns: 25 },
  )
})
