import { sql } from 'kysely'
import { expect } from 'vitest'
import { dropExpiredStates, postgresHistory } from '../../src/store/metrics/postgres-history.ts'
import { pgTest as test } from '../harness/fixtures.ts'
import { HISTORY_CONTRACT } from './history-contract.ts'

test.beforeEach(({ db }) => sql`delete from product_metric_history`.execute(db))

test.for(Object.keys(HISTORY_CONTRACT))('in PostgreSQL, %s', async (title, { db }) => {
  await HISTORY_CONTRACT[title]!(async () => postgresHistory(db))
})

test('expired states are deleted, and no others', async ({ db }) => {
  await HISTORY_CONTRACT['a state expires 30 days after it was replaced, and the newest one never']!(async () =>
    postgresHistory(db),
  )
  const rows = async () => (await sql`select from product_metric_history`.execute(db)).rows.length
  expect(await rows()).toBe(3)
  expect(await dropExpiredStates(db)).toBe(1)
  expect(await dropExpiredStates(db)).toBe(0)
  expect(await rows()).toBe(2)
})
