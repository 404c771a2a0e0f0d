import { readFileSync } from 'node:fs'
import { expect } from 'vitest'
import { connect } from '../../src/store/database/connection.ts'
import { fillSearch } from '../../src/store/catalog/search-fill.ts'
import { foldMetrics, recordMetrics } from '../../src/store/metrics/fold-metrics.ts'
import { changeLowStock, dropOldCrossings } from '../../src/store/metrics/low-stock.ts'
import { postgresHistory, dropExpiredStates } from '../../src/store/metrics/postgres-history.ts'
import { rebuildMetrics } from '../../src/store/metrics/rebuild.ts'
import { rescore } from '../../src/store/popularity/popularity-rules.ts'
import { repairTrending } from '../../src/store/popularity/trending-window.ts'
import { recommendationMetrics } from '../../src/store/recommendations/metrics.ts'
import { shownWithoutClick } from '../../src/store/recommendations/shown-without-click.ts'
import type { Database } from '../../src/store/database/connection.ts'
import { mergeSession } from '../../src/store/shoppers/shopper-merge.ts'
import { BALANCED, type TestDatabase } from '../harness/servers/database.ts'
import { distributeOnStubs } from '../harness/servers/citus-stubs.ts'
import { doAllWork } from '../harness/items/role-work.ts'
import { interaction, recordAndCount } from '../harness/items/events.ts'
import { problemsOf, readSchema, statementsOf } from '../harness/items/statement-audit.ts'
import { freshPgTest as test } from '../harness/fixtures.ts'

const DAYS = 45
/** On a busy machine. */
const PATIENCE = { timeout: 300_000 }
const NOW_MS = Date.now()
const HOUR_MS = 3_600_000

/** What the endpoint's work leaves out: rules, metrics, and reads of recommendations. */
async function doOtherWork(db: Database): Promise<void> {
  await mergeSession(db, { session_id: 's', account_id: 'a', asked_at_ms: NOW_MS })
  await recordAndCount(db, [interaction({ accountId: 'a', occurredAtMs: NOW_MS - 2 * HOUR_MS }), interaction({ refId: 'q' })])
  await rescore(db, { ...BALANCED, halfLifeHours: 24, windowHours: 1 })
  await repairTrending(db)
  await fillSearch(db)
  await foldMetrics(db)
  await recordMetrics(db, postgresHistory(db))
  await dropExpiredStates(db)
  await dropOldCrossings(db)
  await rebuildMetrics(db, 'ada')
  await changeLowStock(db, 12, 'ada')
  await recommendationMetrics(db, { days: 7, per_day: false }, { nowMs: NOW_MS, attributionHours: 24 })
  await shownWithoutClick(db, ['account:a'], NOW_MS - HOUR_MS)
}

/** The statements of some work in a database that is prepared for Citus. */
async function statementsIn({ url, db }: TestDatabase, work: (worker: Database) => Promise<void>): Promise<string[]> {
  if (process.env['TEST_CITUS'] === undefined) await distributeOnStubs(db)
  const texts = new Set<string>()
  const worker = connect({ url, name: 'test', observer: { queried: ({ text }) => void texts.add(text) } })
  await work(worker)
  await worker.destroy()
  return [...texts]
}

/** With AUDITED_STATEMENTS=FILE, the statements that COLLECT_STATEMENTS=FILE collected, e.g. of all tests of PostgreSQL with TEST_CITUS=stubs. */
function collected(): string[] {
  const file = process.env['AUDITED_STATEMENTS']
  if (file === undefined) return []
  return [...new Set(readFileSync(file, 'utf8').trim().split('\n'))].map((line) => JSON.parse(line) as string)
}

/** Every statement is read as PostgreSQL parses it. */
async function refusedAmong(db: Database, texts: readonly string[]): Promise<string[]> {
  const schema = await readSchema(db)
  return (await statementsOf(db, texts)).flatMap(({ text, tree, error }) => {
    const problems = error === undefined ? problemsOf(schema, tree!) : [error]
    return problems.map((problem) => `${problem}: ${text.replaceAll(/\s+/g, ' ').slice(0, 200)}`)
  })
}

test(
  'no statement of the endpoint has a form that Citus refuses, or that does something else on each node',
  PATIENCE,
  async ({ database }) => {
    const texts = await statementsIn(database, (worker) => doAllWork(worker, DAYS))
    expect(texts.length).toBeGreaterThan(200)
    expect(await refusedAmong(database.db, [...texts, ...collected()])).toEqual([])
  },
)

test('nor has a statement of other processes and commands', PATIENCE, async ({ database }) => {
  const texts = await statementsIn(database, doOtherWork)
  expect(await refusedAmong(database.db, texts)).toEqual([])
})

test('the forms that Citus refuses are found', async ({ db }) => {
  const schema = await readSchema(db)
  const problems = async (text: string) => {
    const [{ tree, error } = {}] = await statementsOf(db, [text])
    return error === undefined ? problemsOf(schema, tree!) : [error]
  }
  expect(await problems(`update popularity_rules set edge = now() - window_hours * interval '1 hour'`)).toEqual([
    expect.stringMatching(/^popularity_rules: stable .* of columns in a change$/),
  ])
  expect(await problems('update alert set resumes_at = clock_timestamp()')).toEqual([
    'alert: volatile clock_timestamp() in a change',
  ])
  expect(await problems('delete from ingest_delta where ctid = any(array(select ctid from ingest_delta limit 5))')).toEqual(
    expect.arrayContaining(['ingest_delta: the place or version of a row', 'ingest_delta: a limit in a subquery of a change']),
  )
  expect(await problems('update shopper_product set shopper_id = $1')).toEqual([
    'shopper_product: changes the distribution column',
  ])
  expect(await problems('select from product_hour where product_id = any($1::text[]) for update')).toEqual([
    'product_hour: locks rows of shards',
  ])
  expect(await problems('select from product_popularity where product_id = $1 for update')).toEqual([])
  expect(await problems('select from interaction i join product_popularity p on p.product_id = i.ref_id')).toEqual([
    'joins shards of event and product',
  ])
  expect(await problems('select (select count(*) from interaction) + (select count(*) from shopper_product)')).toEqual([
    'joins shards of event and shopper',
  ])
  expect(await problems('select from audit_entry a join interaction_batch b on b.batch_id = a.audit_id')).toEqual([
    'local audit_entry with interaction_batch',
  ])
  expect(
    await problems(`insert into weight_table values (1, 'x') on conflict (version) do update set name = to_char(now(), 'YYYY')`),
  ).toEqual(expect.arrayContaining([expect.stringMatching(/^weight_table: .* where rows conflict$/)]))
  expect(
    await problems('select exists (select from interaction i where i.batch_id = b.batch_id) from interaction_batch b'),
  ).toEqual(['interaction: a subquery that depends on a row without shards'])
})
