import { join } from 'node:path'
import { sql } from 'kysely'
import { expect } from 'vitest'
import { COUNTER_OF } from '../../src/cli/reference/event-types.ts'
import { connect } from '../../src/store/database/connection.ts'
import { migrate } from '../../src/store/database/migration.ts'
import { LOG_TABLES } from '../../src/store/log/month.ts'
import { AGGREGATES } from '../../src/store/proof/aggregates.ts'
import { describeSchema } from '../harness/servers/schema.ts'
import { pgTest as test } from '../harness/fixtures.ts'

const SQL = join(import.meta.dirname, '..', '..', 'sql')

test('sql/schema.snapshot is what PostgreSQL has after all of sql/', async ({ db }) => {
  await expect(await describeSchema(db)).toMatchFileSnapshot(join(SQL, 'schema.snapshot'))
})

/** Tables of settings, identities, marks and results that can be made again: there is nothing in them for `verify` to prove. */
const OTHER_TABLES = [
  'aggregate_window',
  'alert',
  'alert_crossing',
  'alert_subject',
  'analytics_event_key',
  'api_key',
  'archive_identity',
  'archive_part',
  'archive_shopper',
  'archived_month',
  'audit_entry',
  'catalog.product',
  'catalog.product_search_fill',
  'database_timeline',
  'dirty_mark',
  'event_source',
  'erasure_count',
  'erasure_event',
  'erasure_run',
  'erasure_shopper',
  'event_type',
  'impression',
  // Added up in ingest_hour, and proved with it.
  'ingest_call',
  'ingest_delta',
  'interaction_batch',
  'ledger_rule',
  'log_horizon',
  'low_stock_crossing',
  'migration',
  'payment_callback',
  'person_export',
  'popularity_rules',
  'product_metric_change',
  'product_metric_delta',
  'product_metric_history',
  'product_metric_setting',
  'product_rising',
  'product_rising_run',
  'product_tie_rule',
  'recent_progress',
  'recent_waiting',
  'recompute_run',
  'recorded_call',
  'rejected_interaction',
  'replay_run',
  'report_bucket',
  'report_definition',
  'restored_month',
  'restored_part',
  'shopper_redirect',
  'shopper_tombstone',
  'similarity_current',
  'similarity_run',
  'similarity_settings',
  'similarity_version',
  'verification_run',
  'weight',
  // Moved with the rows that the records of Kafka bring.
  'kafka_offset',
  'weight_table',
]

test('every table is of the log, proved by verify, or named here', async ({ db }) => {
  const { rows } = await sql<{ name: string }>`
    select case when n.nspname = 'public' then c.relname else n.nspname || '.' || c.relname end as name
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p') and not c.relispartition and n.nspname in ('public', 'catalog')`.execute(db)
  const known = new Set<string>([...LOG_TABLES, ...AGGREGATES.map(({ table }) => table), ...OTHER_TABLES])
  expect(rows.map(({ name }) => name).filter((name) => !known.has(name))).toEqual([])
})

test('an applied file that has changed is refused with its name', async ({ db }) => {
  await sql`update migration set sha256 = 'other' where name = '0001_interaction_log.sql'`.execute(db)
  await expect(migrate(db, SQL)).rejects.toThrow('sql/0001_interaction_log.sql was changed')
})

test('the read-only connection of the gateway cannot write', async ({ database }) => {
  const reader = connect({ url: database.url, name: 'test', readOnly: true })
  await expect(sql`delete from shopper_product`.execute(reader)).rejects.toThrow('read-only transaction')
  await reader.destroy()
})

test('docs/event-types.md gives every event type the counter that the table event_type has', async ({ db }) => {
  const { rows } = await sql<{ event_type: string; counter: string }>`select event_type, counter from event_type`.execute(db)
  expect(COUNTER_OF).toEqual(Object.fromEntries(rows.map(({ event_type: type, counter }) => [type, counter])))
})
