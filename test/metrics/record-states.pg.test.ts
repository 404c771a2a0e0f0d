import fc from 'fast-check'
import { sql } from 'kysely'
import { expect } from 'vitest'
import type { MetricHistory } from '../../src/contract/metric-history.ts'
import type { SellerMetrics } from '../../src/contract/product-metrics.ts'
import type { Database } from '../../src/store/database/connection.ts'
import { sellerKey, sellerMetrics } from '../../src/store/metrics/metric-state.ts'
import { postgresHistory } from '../../src/store/metrics/postgres-history.ts'
import { clearCatalog, foldAndRecord, storedMetrics } from '../harness/items/product-metrics.ts'
import { product, upsert } from '../harness/items/products.ts'
import { pgTest as test } from '../harness/fixtures.ts'

test.beforeEach(({ db }) => clearCatalog(db))

const at = (second: number) => new Date(Date.parse('2026-03-01T12:00:00Z') + second * 1_000).toISOString()
const one = (second: number, quantity: number) =>
  product({ seller_id: 'north', price: 100, currency: 'EUR', quantity, updated_at: at(second) })

/** As if so many minutes had passed: what was recorded is older. */
async function pass(db: Database, minutes: number): Promise<void> {
  const ago = sql`${minutes} * interval '1 minute'`
  await sql`update product_metric_history set at = at - ${ago}`.execute(db)
  await sql`update product_metric_change set recorded_at = recorded_at - ${ago}`.execute(db)
}

const states = async (db: Database, key = sellerKey('north')) =>
  (await postgresHistory(db).series(key, { fromMs: 0, toMs: Date.now() + 60_000, limit: 100 })).toReversed()
const values = async (db: Database) =>
  (await states(db)).map(({ state }) => (state as SellerMetrics).amounts.map(({ amount }) => amount))

test('a key has at most one state a minute, and after the last change its last state', async ({ db }) => {
  const fold = () => foldAndRecord(db, postgresHistory(db))
  for (let second = 0; second < 5; second++) {
    await upsert(db, [one(second, second)])
    await fold()
  }
  expect(await values(db)).toEqual([[0]])
  await pass(db, 1)
  await fold()
  await fold()
  expect(await values(db)).toEqual([[0], [400]])
  expect((await states(db)).at(-1)?.state).toEqual(await sellerMetrics(db, 'north'))
})

test('a state that equals the one before is not recorded', async ({ db }) => {
  const fold = () => foldAndRecord(db, postgresHistory(db))
  await upsert(db, [one(0, 1)])
  await fold()
  await pass(db, 2)
  await upsert(db, [one(1, 2)])
  await upsert(db, [one(2, 1)])
  await fold()
  expect(await values(db)).toEqual([[100]])
})

/** A history that fails once, before or after it has kept the states. */
function failingOnce(history: MetricHistory, when: 'before' | 'after'): MetricHistory {
  let hasFailed = false
  return {
    ...history,
    keep: async (kept) => {
      if (hasFailed) return history.keep(kept)
      hasFailed = true
      if (when === 'after') await history.keep(kept)
      throw new Error('cut')
    },
  }
}

test.for(['before', 'after'] as const)(
  'a fold that dies %s a state is kept is repeated with the same state',
  async (when, { db }) => {
    const history = failingOnce(postgresHistory(db), when)
    await upsert(db, [one(0, 1)])
    await expect(foldAndRecord(db, history)).rejects.toThrow('cut')
    const { rows } = await sql<{
      at: Date
    }>`select pending_at as at from product_metric_change where key = 'SELLER#north'`.execute(db)
    await upsert(db, [one(1, 2)])
    await foldAndRecord(db, history)
    expect(await values(db)).toEqual([[100]])
    expect((await states(db)).map(({ atMs }) => atMs)).toEqual([rows[0]!.at.getTime()])
    await pass(db, 1)
    await foldAndRecord(db, history)
    expect(await values(db)).toEqual([[100], [200]])
  },
)

test('any interleaving of writers, folds and time records states that the seller had, in order, and the last one', async ({
  db,
}) => {
  const steps = fc.array(fc.constantFrom('write', 'write', 'fold', 'minute'), { maxLength: 12 })
  await fc.assert(
    fc.asyncProperty(steps, async (names) => {
      await clearCatalog(db)
      let written = 0
      for (const name of [...names, 'write']) {
        if (name === 'minute') await pass(db, 1)
        const folds = name === 'fold' ? [1, 2].map(() => foldAndRecord(db, postgresHistory(db))) : []
        const writes = name === 'write' ? [upsert(db, [one(++written, written)])] : []
        await Promise.all([...folds, ...writes])
      }
      await foldAndRecord(db, postgresHistory(db))
      await pass(db, 1)
      await foldAndRecord(db, postgresHistory(db))
      const recorded = (await values(db)).map(([value]) => value!)
      expect(recorded).toEqual(recorded.toSorted((a, b) => a - b))
      expect(new Set(recorded).size).toBe(recorded.length)
      expect(recorded.at(-1)).toBe(written * 100)
      const times = (await states(db)).map(({ atMs }) => atMs)
      expect(times.slice(1).every((time, index) => time - times[index]! >= 60_000)).toBe(true)
      expect(await storedMetrics(db)).toMatchObject({ 'SELLER#north EUR': { value: BigInt(written * 100) } })
    }),
    { numRuns: 25 },
  )
})
