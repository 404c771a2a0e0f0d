import { sql } from 'kysely'
import type { Database, Queryable } from '../database/connection.ts'
import { alterTables } from '../database/locks.ts'
import { LOG_TABLES } from '../log/month.ts'

/**
 * Owns the tables of the log, their months and the functions that make and drop months, and nothing else. It cannot log in. The
 * user that migrates is its member, so that it can still alter the tables.
 */
export const LOG_OWNER = 'footfall_log'

/** They work with the rights of their owner: for the endpoint, or as triggers of the log. */
const FUNCTIONS_OF_OWNER = [
  'make_log_month(text, date)',
  'make_log_months(text, date[])',
  'drop_log_month(text, date)',
  'move_log_horizon(integer)',
  'keep_rating()',
  'mark_dirty()',
  'erase_interactions(uuid)',
  'erase_searches(uuid, date)',
  'erase_analytics_events(uuid, date, integer[])',
]

/** What the functions of the owner need. */
const GRANTS_TO_OWNER = [
  'usage on schema public',
  'usage, create on schema log_month',
  'execute on function check_log_table(text), missing_log_months(text, date[]), closed_log_months(text, date[]), reject_row_of_closed_month(), kept_metadata(text, jsonb)',
  'select, update (horizon) on log_horizon',
  'insert on product_rating',
  'insert on dirty_mark',
  'select on aggregate_window',
  'select on erasure_run, erasure_shopper, erasure_event',
]

export const FUNCTIONS_OF_ENDPOINT = [
  'make_log_month(text, date), make_log_months(text, date[]), drop_log_month(text, date), move_log_horizon(integer)',
  'erase_interactions(uuid), erase_searches(uuid, date), erase_analytics_events(uuid, date, integer[]), erase_payments(uuid), erase_restored(uuid)',
  'kept_metadata(text, jsonb)',
  // Makes what the gateway signed.
  'change_access(text, text)',
  'cross_stock_alerts(text[], bigint[], text[])',
].join(', ')

/**
 * Gives the log to its owner. @throws when a table of the log belonged to another role and has something that calls a function:
 * that role may have put it there to act as the owner.
 */
export async function giveLogToOwner(tx: Queryable, endpoint: string): Promise<void> {
  const owner = sql.id(LOG_OWNER)
  const { rows } = await sql`select from pg_roles where rolname = ${LOG_OWNER}`.execute(tx)
  if (rows.length === 0) await sql`create role ${owner} nologin`.execute(tx)
  await sql`grant ${owner} to current_user`.execute(tx)
  for (const grant of GRANTS_TO_OWNER) await sql`grant ${sql.raw(grant)} to ${owner}`.execute(tx)
  // Changing an owner requires that the new owner may create in the schema.
  await sql`grant create on schema public to ${owner}`.execute(tx)
  for (const name of FUNCTIONS_OF_OWNER) await sql`alter function ${sql.raw(name)} owner to ${owner}`.execute(tx)
  for (const table of await tablesOfOthers(tx)) {
    // The role that owns it can add nothing between the check and the change.
    await sql`lock table only ${sql.table(table)} in access exclusive mode`.execute(tx)
    await sql`select check_log_table(${table})`.execute(tx)
    await sql`alter table ${sql.table(table)} owner to ${owner}`.execute(tx)
  }
  await sql`revoke create on schema public from ${owner}`.execute(tx)
  await sql`grant execute on function ${sql.raw(FUNCTIONS_OF_ENDPOINT)} to ${sql.id(endpoint)}`.execute(tx)
}

/**
 * The SQL that takes the log back from its owner: Citus opens connections to other nodes as the user of a function, and the owner of the log
 * cannot log in.
 */
export async function takeLogBack(db: Queryable): Promise<string[]> {
  const { rows } = await sql<{ statement: string }>`
    select format('alter table %s owner to current_user', c.oid::regclass) as statement from pg_class c
      where c.relkind in ('r', 'p') and c.relowner = to_regrole(${LOG_OWNER})
    union all
    select format('alter function %s owner to current_user', p.oid::regprocedure) from pg_proc p where p.proowner = to_regrole(${LOG_OWNER})
    order by 1`.execute(db)
  return rows.map(({ statement }) => statement)
}

async function tablesOfOthers(tx: Queryable): Promise<string[]> {
  const { rows } = await sql<{ table: string }>`
    select t.name as table from unnest(${LOG_TABLES.map(String)}::text[]) as t(name)
    where (select pg_get_userbyid(relowner) from pg_class where oid = t.name::regclass) <> ${LOG_OWNER}`.execute(tx)
  return rows.map(({ table }) => table)
}

/**
 * Gives the months that were made before to the owner of the log, each in a transaction of its own: a statement that uses a month
 * waits only for that one.
 */
export async function giveMonthsToOwner(db: Database, endpoint: string): Promise<void> {
  const { rows } = await sql<{ schema: string; name: string }>`
    select relnamespace::regnamespace::text as schema, relname as name from pg_class
    where relkind = 'r' and relnamespace in ('public'::regnamespace, 'log_month'::regnamespace)
      and relname ~ ${`^(${LOG_TABLES.join('|')})_[0-9]{4}_[0-9]{2}$`} and pg_get_userbyid(relowner) <> ${LOG_OWNER}
    order by 2`.execute(db)
  for (const { schema, name } of rows) {
    await alterTables(db, async (tx) => {
      if (schema === 'public') await sql`alter table ${sql.table(name)} set schema log_month`.execute(tx)
      const month = sql.table(`log_month.${name}`)
      await sql`revoke all on ${month} from ${sql.id(endpoint)}`.execute(tx)
      await sql`alter table ${month} owner to ${sql.id(LOG_OWNER)}`.execute(tx)
    })
  }
}
