import { randomUUID } from 'node:crypto'
import { copyFile, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { sql } from 'kysely'
import { expect } from 'vitest'
import { HOUR_MS } from '../../src/contract/fields/time.ts'
import { PRESETS } from '../../src/ranking/weights.ts'
import { backlog, leftBehind } from '../../src/store/log/backlog.ts'
import { callOf } from '../../src/store/log/call.ts'
import { recordRows, type RecordedBatchResult } from '../../src/store/log/batch.ts'
import { migrate } from '../../src/store/database/migration.ts'
import { countBatch } from '../../src/store/popularity/counting.ts'
import { rescore } from '../../src/store/popularity/popularity-rules.ts'
import { popularityOf } from '../../src/store/popularity/top-list.ts'
import { SEARCHES } from '../../src/store/log/search.ts'
import { feedBatch } from '../../src/store/shoppers/shopper-profile.ts'
import { verify } from '../../src/store/proof/verification.ts'
import { BALANCED, clear } from '../harness/servers/database.ts'
import { interaction, recordAndCount, recordNewSearches, search, recordBatch } from '../harness/items/events.ts'
import { differences, expectedCells, rulesInForce, storedCells } from '../harness/reference/cells.ts'
import { freshPgTest as test } from '../harness/fixtures.ts'
import type { Database } from '../../src/store/database/connection.ts'
import type { NewInteraction } from '../../src/admission/interaction.ts'
import type { NewSearch } from '../../src/admission/search.ts'

const NOW_MS = Math.floor(Date.now() / 1_000) * 1_000
const PRODUCTS = ['a', 'b', 'c', 'Ünïcode 🛒', `it's "{quoted}", \\ and null`, 'NULL', '{}', ' ']

type Batch = { interactions: NewInteraction[] } | { searches: NewSearch[] }

const ages = fc.oneof(
  fc.nat({ max: 3 * HOUR_MS }),
  fc.constantFrom(167, 168, 169).map((hours) => hours * HOUR_MS),
  fc.nat({ max: 200 }).map((days) => days * 24 * HOUR_MS),
)
const searches = fc.uniqueArray(
  fc
    .record({ ageMs: ages, productIds: fc.uniqueArray(fc.constantFrom(...PRODUCTS), { maxLength: 6 }), eventId: fc.uuid() })
    .map(({ ageMs, ...rest }) => search({ ...rest, occurredAtMs: NOW_MS - ageMs })),
  { maxLength: 20, selector: ({ eventId }) => eventId },
)
const interactions = fc.uniqueArray(
  fc
    .record({
      ageMs: ages,
      refId: fc.constantFrom(...PRODUCTS),
      eventType: fc.constantFrom('view', 'search_impression', 'click_from_search'),
      eventId: fc.uuid(),
    })
    .map(({ ageMs, ...rest }) => interaction({ ...rest, occurredAtMs: NOW_MS - ageMs })),
  { maxLength: 10, selector: ({ eventId }) => eventId },
)

/** Every event once or more, in batches of one kind and any order; repeats are within batches and between them. */
const plans = fc.tuple(searches, interactions).chain(([distinctSearches, distinctInteractions]) => {
  const batchesOf = <Row extends { index: number }>(rows: readonly Row[]) =>
    fc
      .array(fc.shuffledSubarray([...rows, ...rows.slice(0, 3)]), { maxLength: 5 })
      .map((some) => [...some, [...rows]].map((batch) => batch.map((row, index) => ({ ...row, index }))))
  return fc
    .tuple(
      batchesOf(distinctSearches),
      batchesOf(distinctInteractions),
      fc.integer({ min: 1, max: 3 }),
      fc.infiniteStream(fc.nat()),
    )
    .map(([ofSearches, ofInteractions, attempts, order]) => {
      const batches: Batch[] = [
        ...ofSearches.map((rows) => ({ searches: rows })),
        ...ofInteractions.map((rows) => ({ interactions: rows })),
      ]
      const shuffled = batches
        .map((batch) => ({ batch, place: order.next().value ?? 0 }))
        .sort((one, other) => one.place - other.place)
      return { distinctSearches, distinctInteractions, attempts, batches: shuffled.map(({ batch }) => batch) }
    })
})

/** Impressions have a weight here, so that they change scores and trending. */
const WEIGHTS = { ...PRESETS.balanced, search_impression: 0.05 }

test('any order, repetition, overlap and grouping of calls gives the distinct cells', { timeout: 120_000 }, async ({ db }) => {
  await rescore(db, { ...BALANCED, weightsName: 'with impressions', weights: WEIGHTS })
  const rules = { ...(await rulesInForce(db)), weights: WEIGHTS }
  await fc.assert(
    fc.asyncProperty(plans, async ({ batches, attempts, distinctSearches, distinctInteractions }) => {
      await clear(db)
      const answers = await Promise.all(batches.map((batch) => recordOverlapping(db, batch, attempts)))
      await Promise.all(
        answers.flatMap((answer) =>
          Array.from({ length: attempts }, () => [countBatch(db, answer), feedBatch(db, answer)]).flat(),
        ),
      )
      const accepted = answers.reduce((sum, answer) => sum + answer.accepted, 0)
      expect(accepted).toBe(distinctSearches.length + distinctInteractions.length)
      expect(differences(await storedCells(db), expectedCells(distinctInteractions, rules, distinctSearches))).toEqual([])
      expect((await verify(db)).drift).toEqual([])
    }),
    { numRuns: 15 },
  )
})

/** Concurrent attempts of one call, as of one invocation. All must answer the same. */
async function recordOverlapping(db: Database, batch: Batch, attempts: number): Promise<RecordedBatchResult> {
  const call = callOf(randomUUID(), Buffer.from('body'))
  const record = () =>
    'searches' in batch ? recordRows(db, SEARCHES, call, batch.searches, []) : recordBatch(db, call, batch.interactions, [])
  const answers = await Promise.all(Array.from({ length: attempts }, record))
  for (const answer of answers) expect({ ...answer, isNew: true }).toEqual({ ...answers[0], isNew: true })
  expect(answers.filter((answer) => answer.isNew)).toHaveLength(1)
  return answers[0]!
}

test('a search is kept as typed and normalised, with the products that it showed', async ({ db }) => {
  const productIds = PRODUCTS.toReversed()
  await recordNewSearches(db, [
    search({ query: ' Red  LAMP', productIds }),
    search({ query: 'x', productIds: [], accountId: null }),
  ])
  const { rows } = await sql`
    select query, normalised_query, account_id, session_id, product_ids from search order by query`.execute(db)
  expect(rows).toEqual([
    { query: ' Red  LAMP', normalised_query: 'red lamp', account_id: 'a', session_id: null, product_ids: productIds },
    { query: 'x', normalised_query: 'x', account_id: null, session_id: null, product_ids: [] },
  ])
})

test('a product that was only shown gets a row that a rescore keeps, and enters no profile', async ({ db }) => {
  const occurredAtMs = NOW_MS - HOUR_MS
  const batch = await recordNewSearches(db, [
    search({ productIds: ['shown', 'other'], occurredAtMs }),
    search({ productIds: [] }),
  ])
  expect(await countBatch(db, batch)).toEqual({ batches: 1, events: 2 })
  expect(await popularityOf(db, 'shown')).toMatchObject({
    score: 0,
    search_count: 1,
    search_click_count: 0,
    last_interaction: new Date(occurredAtMs).toISOString(),
  })
  await rescore(db, { ...BALANCED, weightsName: 'own', weights: { search_impression: 0.5 }, halfLifeHours: 5 })
  expect(await popularityOf(db, 'shown')).toMatchObject({ score: 0.5, search_count: 1 })
  expect((await verify(db)).drift).toEqual([])
  expect((await sql`select from shopper_product`.execute(db)).rows).toEqual([])
})

test('a batch of searches waits to be counted, never to be fed; the sweeper sends it', async ({ db }) => {
  const batch = await recordNewSearches(db, [search({ productIds: ['a', 'b'] }), search({ productIds: ['a'] })])
  expect(await backlog(db)).toMatchObject({ uncountedBatches: 1, uncountedEvents: 3, unfedBatches: 0, unfedEvents: 0 })
  expect(await leftBehind(db, 0)).toEqual([
    { batchId: batch.batchId, from: batch.from, to: batch.to, uncounted: true, unfed: false },
  ])
  expect(await feedBatch(db, batch)).toEqual({ batches: 0, events: 0 })
})

test("a missing month's partition is created on demand in the log of searches too", async ({ db }) => {
  const old = search({ occurredAtMs: Date.parse('2003-04-05T06:07:08Z') })
  expect(await recordNewSearches(db, [search(), old])).toMatchObject({ accepted: 2, rejected: [] })
  const { rows } = await sql`select to_regclass('log_month.search_2003_04') is not null as there`.execute(db)
  expect(rows).toEqual([{ there: true }])
})

test('searches that are too old or refused by PostgreSQL are kept as sent; every attempt says so', async ({ db }) => {
  await sql`update log_horizon set horizon = '2020-01-01'`.execute(db)
  await sql`alter table search add constraint no_poison check (query <> 'poison')`.execute(db)
  const early = search({
    index: 0,
    occurredAtMs: Date.parse('2019-12-31T23:59:59.999Z'),
    productIds: ['"', '\\'],
    query: 'Early',
  })
  const rows = [early, search({ index: 1, query: 'poison' }), search({ index: 2 })]
  const call = callOf(randomUUID(), Buffer.from('x'))
  const answer = await recordRows(db, SEARCHES, call, rows, [])
  expect(answer).toMatchObject({ accepted: 1, duplicateIndexes: [] })
  expect(answer.rejected.map(({ index, code, field }) => [index, code, field])).toEqual([
    [0, 'too_old', 'occurred_at'],
    [1, 'refused', null],
  ])
  expect(await recordRows(db, SEARCHES, call, rows, [])).toEqual({ ...answer, isNew: false })
  const kept = await sql<{ item: string }>`select item from rejected_interaction order by index`.execute(db)
  expect(JSON.parse(kept.rows[0]!.item)).toMatchObject({ event_id: early.eventId, query: 'Early', product_ids: ['"', '\\'] })
  expect(JSON.parse(kept.rows[1]!.item)).toEqual({ query: 'poison' })
})

test('verify names a changed count and a missing search', async ({ db }) => {
  await countBatch(db, await recordNewSearches(db, [search({ productIds: ['a', 'b'] })]))
  await recordAndCount(db, [interaction({ refId: 'a', eventType: 'search_impression' })])
  expect(await popularityOf(db, 'a')).toMatchObject({ search_count: 2 })
  await sql`update product_popularity set search_count = 3 where product_id = 'a'`.execute(db)
  expect((await verify(db)).drift).toEqual([
    { aggregate: 'product_popularity', key: { product_id: 'a' }, column: 'search_count', stored: '3', expected: '2' },
  ])
  await sql`update product_popularity set search_count = 2 where product_id = 'a'`.execute(db)
  expect((await verify(db)).drift).toEqual([])
  await sql`delete from search`.execute(db)
  const { drift } = await verify(db)
  expect(drift).toContainEqual(
    expect.objectContaining({ aggregate: 'product_popularity', key: { product_id: 'a' }, column: 'search_count' }),
  )
  expect(drift).toContainEqual(
    expect.objectContaining({ aggregate: 'product_popularity', key: { product_id: 'b' }, column: '*' }),
  )
})

test('the migration adds impressions that were counted before to search_count', async ({ db }) => {
  const sqlFolder = join(import.meta.dirname, '..', '..', 'sql')
  const before = await mkdtemp(join(tmpdir(), 'footfall-sql-'))
  const files = (await readdir(sqlFolder)).filter((name) => name < '0007')
  await Promise.all(files.map((name) => copyFile(join(sqlFolder, name), join(before, name))))
  await sql`drop schema public, access, catalog, log_month, restored, secret cascade`.execute(db)
  await sql`create schema public`.execute(db)
  await migrate(db, before)
  await rm(before, { recursive: true })
  await sql`
    insert into product_hour (hour, decayed, events, product_id, event_type)
    select '2026-01-01 00:00+00'::timestamptz + n * interval '1 hour', 2, 2, 'a', type
    from generate_series(1, 3) as n, unnest(array['view', 'search_impression']) as type`.execute(db)
  await sql`
    insert into product_popularity select 0, 0, 6, 0, 0, 0, 0, 0, 0, now(), now(), id from unnest(array['a', 'b']) as id`.execute(
    db,
  )
  await migrate(db, sqlFolder)
  const { rows } = await sql`select product_id, search_count::int as n from product_popularity order by 1`.execute(db)
  expect(rows).toEqual([
    { product_id: 'a', n: 6 },
    { product_id: 'b', n: 0 },
  ])
})

test('a group without searches reads none, a group with searches reads them by their batch', async ({ db }) => {
  const statements: string[] = []
  const watched = db.withPlugin({
    transformQuery: ({ node }) => {
      statements.push(JSON.stringify(node))
      return node
    },
    transformResult: async ({ result }) => result,
  })
  const counting = () => statements.filter((text) => text.includes('product_hour'))
  const first = await recordNewSearches(db, [search()])
  await countBatch(watched, first)
  expect(counting()).toEqual([expect.stringContaining('from search log')])
  statements.length = 0
  await countBatch(watched, await recordBatch(db, callOf(randomUUID(), Buffer.from('')), [interaction()], []))
  expect(counting()).toEqual([expect.not.stringContaining('search log')])
})
