import { sql } from 'kysely'
import type { Queryable } from '../database/connection.ts'
import { isDistributed } from '../database/is-distributed.ts'
import { LOG_TABLES } from '../log/month.ts'

const SCHEMAS = ['public', 'catalog']
/** The gateway reads none of its tables. */
const ENDPOINT_SCHEMAS = [...SCHEMAS, 'secret']
/** The endpoint reads none of the tables of `access`: what is in them lets the gateway change keys. */
const GATEWAY_SCHEMAS = [...SCHEMAS, 'access']

/** What the endpoint may do with a table that is not named here, so that it can work with the tables of a later release. */
const RIGHTS_OF_OTHER_TABLES = 'select, insert, update, delete'

/** The log is added to. Only the functions of its owner drop a month. */
const RIGHTS_OF_LOG = 'select, insert'

/** What the endpoint may do with these tables: what its statements do. */
const ENDPOINT_RIGHTS: Record<string, string> = {
  ...Object.fromEntries(LOG_TABLES.map((table) => [table, RIGHTS_OF_LOG])),
  // A row lock needs the right to update some column.
  log_horizon: 'select, update (singleton)',
  interaction_batch: 'select, insert, update (scored_at, counted_slots, fed_at, recent_at)',
  // A trigger of the log adds to it.
  product_rating: 'select',
  product_day: 'select, insert, update',
  product_popularity: 'select, insert, update',
  shopper_product: 'select, insert, update',
  // A trigger adds to it.
  recent_waiting: 'select, delete',
  recent_progress: 'select, update (next_batch_id, swept_to)',
  popularity_rules: 'select, insert, update',
  weight_table: 'select, insert',
  weight: 'select, insert',
  event_type: 'select',
  'catalog.product': 'select, insert, update',
  // A call that was counted stays counted.
  ingest_call: 'select, insert, delete',
  // A row lock needs the right to update some column.
  ingest_delta: 'select, insert, update (kind), delete',
  ingest_hour: 'select, insert, update',
  // A row lock needs the right to update some column.
  recorded_call: 'select, insert, update (recorded_at), delete',
  // An operator acknowledges another timeline at a terminal.
  database_timeline: 'select, update (noticed_at, compared_at, lost_from, lost_to, lost_calls, lost_by_handler)',
  // Triggers do the rest.
  'catalog.product_search': 'select, insert',
  'catalog.product_search_fill': 'select, update (filled_to, is_complete)',
  // The consumer moves them.
  kafka_offset: 'select',
  product_metric: 'select, insert, update',
  // Triggers add to it. A row lock needs the right to update some column.
  product_metric_delta: 'select, update (delta_id), delete',
  product_metric_change: 'select, insert, update',
  product_metric_history: 'select, insert, update (expires_at), delete',
  product_metric_setting: 'select',
  low_stock_crossing: 'select, delete',
  // A trigger does the rest of the switch to another rule.
  product_tie_rule: 'select, update (rule, older_seen_at)',
  event_source: 'select, insert, update',
  // The database sets the number and the time of an entry.
  audit_entry: 'select, insert (actor, action, resource_type, resource_id, metadata)',
  // Money: callbacks and what follows from them can only be added.
  payment_callback: 'select, insert, update (refused, rule)',
  // A trigger does the rest of the switch to another rule.
  ledger_rule: 'select, update (rule, older_seen_at, is_complete)',
  sale_line: 'select, insert',
  seller_day: 'select, insert, update',
  seller_pending: 'select, insert, update',
  seller_pending_day: 'select, insert, update',
  analytics_event_key: 'select, insert',
  similarity_run: 'select, insert, update',
  verification_run: 'select, insert, update',
  replay_run: 'select, insert, update',
  similarity_current: 'select, update (changed_at, version, previous)',
  // A tuning at a terminal adds them.
  similarity_settings: 'select, update (in_force, promoted_at, promoted_by)',
  // The rows of a version do not change.
  similarity_product: 'select, insert, delete',
  similarity_row: 'select, insert, delete',
  impression: 'select, insert, update (shopper_id), delete',
  archive_identity: 'select',
  archive_shopper: 'select, insert, delete',
  archive_part: 'select, insert, delete',
  archived_month: 'select, insert, update',
  person_export: 'select, insert, update',
  // A command at a terminal restores.
  restored_month: 'select',
  restored_part: 'select',
  // A tombstone stays.
  shopper_tombstone: 'select, insert, update',
  migration: 'select',
  // A release defines the reports.
  report_definition: 'select',
  aggregate_window: 'select',
  api_key: '',
  alert: 'select, insert, update',
  alert_subject: 'select, insert, delete',
  alert_crossing: 'select, insert, update, delete',
  'secret.alert_secret': 'select, insert, update (expires_at), delete',
  'secret.sealing_key': 'select, insert',
}

/** What the statements that store products and record ratings write where no trigger does it with the rights of its owner. */
const RIGHTS_WITHOUT_TRIGGERS: Record<string, string> = {
  product_rating: 'insert',
  product_metric_setting: 'select',
  product_metric_delta: 'insert',
  low_stock_crossing: 'insert',
  'catalog.product_search': 'select, insert, update (words)',
}

/** An erasure moves profiles to another shard. */
const ERASING_RIGHTS: Record<string, string> = { shopper_product: 'delete' }

async function grantWithoutTriggers(tx: Queryable, user: string, further: Record<string, string> = {}): Promise<void> {
  if (!(await isDistributed(tx))) return
  for (const [name, rights] of Object.entries({ ...RIGHTS_WITHOUT_TRIGGERS, ...further })) {
    await sql`grant ${sql.raw(rights)} on ${sql.table(name)} to ${sql.id(user)}`.execute(tx)
  }
}

/** Tables of secrets. */
const HIDDEN_FROM_GATEWAY = ['archive_shopper']

/** The gateway reads every other table. */
export async function grantReading(tx: Queryable, user: string): Promise<void> {
  const role = sql.id(user)
  for (const schema of GATEWAY_SCHEMAS) {
    await sql`grant usage on schema ${sql.id(schema)} to ${role}`.execute(tx)
    await sql`grant select on all tables in schema ${sql.id(schema)} to ${role}`.execute(tx)
  }
  for (const table of HIDDEN_FROM_GATEWAY) await sql`revoke all on ${sql.table(table)} from ${role}`.execute(tx)
}

/** The endpoint has the rights of ENDPOINT_RIGHTS and no others. It reaches the months of the log through their tables only. */
export async function grantWriting(tx: Queryable, user: string): Promise<void> {
  const role = sql.id(user)
  for (const schema of ENDPOINT_SCHEMAS) {
    await sql`grant usage on schema ${sql.id(schema)} to ${role}`.execute(tx)
    await sql`revoke all on all sequences in schema ${sql.id(schema)} from ${role}`.execute(tx)
    await sql`revoke all on all tables in schema ${sql.id(schema)} from ${role}`.execute(tx)
  }
  for (const { name, isView } of await tablesOf(tx)) {
    const rights = isView ? 'select' : (ENDPOINT_RIGHTS[name] ?? RIGHTS_OF_OTHER_TABLES)
    if (rights !== '') await sql`grant ${sql.raw(rights)} on ${sql.table(name)} to ${role}`.execute(tx)
  }
  await grantWithoutTriggers(tx, user, ERASING_RIGHTS)
  // Of months that were restored before. A restore grants the same.
  await sql`grant usage on schema restored to ${role}`.execute(tx)
  await sql`grant select on all tables in schema restored to ${role}`.execute(tx)
}

/** What the consumer's statements do. */
const CONSUMER_RIGHTS: Record<string, string> = {
  kafka_offset: 'select, insert, update',
  'catalog.product': 'select, insert, update',
  product_tie_rule: 'select',
  interaction: 'select, insert',
  interaction_batch: 'select, insert',
  rejected_interaction: 'select, insert',
  ingest_call: 'select, insert',
  ingest_delta: 'insert',
  audit_entry: 'insert (actor, action, resource_type, resource_id, metadata)',
  log_horizon: 'select',
  shopper_tombstone: 'select',
  migration: 'select',
}

/** The consumer has the rights of CONSUMER_RIGHTS and no others. */
export async function grantRecords(tx: Queryable, user: string): Promise<void> {
  const role = sql.id(user)
  for (const schema of SCHEMAS) {
    await sql`grant usage on schema ${sql.id(schema)} to ${role}`.execute(tx)
    await sql`revoke all on all tables in schema ${sql.id(schema)} from ${role}`.execute(tx)
  }
  for (const [name, rights] of Object.entries(CONSUMER_RIGHTS)) {
    await sql`grant ${sql.raw(rights)} on ${sql.table(name)} to ${role}`.execute(tx)
  }
  await grantWithoutTriggers(tx, user)
  await sql`grant execute on function make_log_months(text, date[]), cross_stock_alerts(text[], bigint[], text[]) to ${role}`.execute(
    tx,
  )
}

/** Every table and view but the months of the log; with its schema unless that is `public`. */
async function tablesOf(tx: Queryable): Promise<{ name: string; isView: boolean }[]> {
  const { rows } = await sql<{ name: string; isView: boolean }>`
    select case nspname when 'public' then relname else nspname || '.' || relname end as name, relkind = 'v' as "isView"
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where nspname = any(${ENDPOINT_SCHEMAS}::text[]) and relkind in ('r', 'p', 'v') and not relispartition order by 1`.execute(tx)
  return rows
}
