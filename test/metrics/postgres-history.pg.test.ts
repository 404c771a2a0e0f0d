import { sql } from 'kysely'
import { postgresHistory } from '../../src/store/metrics/postgres-history.ts'
import { pgTest as test } from '../harness/fixtures.ts'
import { HISTORY_CONTRACT } from './history-contract.ts'

test.for(Object.keys(HISTORY_CONTRACT))('in PostgreSQL, %s', async (title, { db }) => {
  await HISTORY_CONTRACT[title]!(async () => {
    await sql`delete from product_metric_history`.execute(db)
    return postgresHistory(db)
  })
})
