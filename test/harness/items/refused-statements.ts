/** Statements that PostgreSQL must refuse to a role, by the SQLSTATE that it answers with. */
export type Refused = Record<string, readonly string[]>

/** insufficient_privilege */
const DENIED = '42501'
/** raise_exception of a function. */
const RAISED = 'P0001'

const LOCK = 0x466f_6f74_0002n

/** LOCK TABLE works only in a transaction. */
const inTransaction = (statement: string) => `do $$ begin ${statement}; end $$`

/** What neither role may do. */
const OF_BOTH: readonly string[] = [
  // Rights of other roles.
  'set role footfall_owner',
  'set role footfall_log',
  'set role postgres',
  'set session authorization footfall_owner',
  'create role other',
  'create role other superuser',
  'alter role current_user superuser',
  'alter role current_user bypassrls',
  'alter role footfall_owner password null',
  'grant footfall_log to current_user',
  'grant footfall_owner to current_user',
  'reassign owned by footfall_log to current_user',
  'drop owned by footfall_log',
  'alter default privileges for role footfall_owner grant all on tables to public',
  // The schema.
  'create table planted ()',
  'create temporary table planted ()',
  'select 1 as x into temporary planted',
  'create schema planted',
  'create function planted() returns int language sql return 1',
  'create function pg_temp.planted() returns int language sql return 1',
  'create function to_jsonb(migration) returns jsonb language sql return null',
  'create function log_month.planted() returns int language sql return 1',
  'create table log_month.planted ()',
  'create view planted as select 1',
  'create type planted as (x int)',
  'create operator = (leftarg = int, rightarg = int, function = int4eq)',
  'create extension dblink',
  'create publication planted for all tables',
  'create foreign data wrapper planted',
  'create database planted',
  'alter database footfall set statement_timeout = 1',
  'drop schema catalog cascade',
  'drop schema log_month cascade',
  'drop view product_cell',
  'alter function make_log_months(text, date[]) reset all',
  'drop function make_log_months(text, date[])',
  'comment on table interaction is null',
  // Files and programs of the server, and its settings.
  `copy (select 1) to program 'true'`,
  `copy (select 1) to '/tmp/planted'`,
  `select pg_read_file('/etc/passwd')`,
  `select pg_ls_dir('.')`,
  `select lo_import('/etc/passwd')`,
  `alter system set work_mem = '1GB'`,
  'set log_statement = none',
  'set session_replication_role = replica',
  'select pg_reload_conf()',
  'select pg_switch_wal()',
  'select pg_stat_reset()',
  'checkpoint',
  `load '/tmp/planted.so'`,
  `select pg_create_physical_replication_slot('planted')`,
  // Large objects and messages fill the disk.
  'select lo_create(0)',
  `select lo_from_bytea(0, 'x')`,
  `select pg_logical_emit_message(false, 'x', 'x')`,
  // Other sessions.
  'select pg_terminate_backend(pid) from pg_stat_activity where usename is distinct from current_user and usename is not null',
  'select pg_cancel_backend(pid) from pg_stat_activity where usename is distinct from current_user and usename is not null',
]

const TABLES_OF_LOG = ['interaction', 'search', 'analytics_event']

const ofLogTable = (table: string): string[] => [
  `update ${table} set occurred_at = occurred_at`,
  `delete from ${table}`,
  `truncate ${table}`,
  `drop table ${table}`,
  inTransaction(`lock table ${table} in share mode`),
  inTransaction(`lock table ${table} in access exclusive mode`),
  `select from ${table} for update`,
  `alter table ${table} add column x text`,
  `alter table ${table} alter column occurred_at set default now()`,
  `alter table ${table} add constraint planted check (true)`,
  `alter table ${table} disable trigger all`,
  `alter table ${table} enable row level security`,
  `alter table ${table} owner to current_user`,
  `create trigger planted after insert on ${table} execute function keep_rating()`,
  `create policy planted on ${table}`,
  `create rule planted as on insert to ${table} do instead nothing`,
  `create index on ${table} (occurred_at)`,
  `create statistics planted on (occurred_at + interval '1 s') from ${table}`,
]

const ofMonth = (month: string): string[] => [
  `alter table interaction detach partition log_month.${month}`,
  `alter table interaction detach partition log_month.${month} concurrently`,
  `select from log_month.${month}`,
  `insert into log_month.${month} default values`,
  `truncate log_month.${month}`,
  `drop table log_month.${month}`,
]

/** Changes of what the endpoint only reads or adds to: the audit trail, keys, money, the log's batches, the schema. */
export const CHANGES_OF_WHAT_IS_KEPT: readonly string[] = [
  'update audit_entry set actor = actor',
  'delete from audit_entry',
  'truncate audit_entry',
  'drop table audit_entry',
  'alter table audit_entry add column x text',
  'alter table audit_entry disable trigger all',
  inTransaction('lock table audit_entry in access exclusive mode'),
  `insert into audit_entry (at, actor, action, resource_type, resource_id) values ('2001-01-01', 'x', 'x', 'x', 'x')`,
  `select setval('audit_entry_audit_id_seq', 1)`,
  `select nextval('audit_entry_audit_id_seq')`,
  'select from api_key',
  'insert into api_key select * from api_key',
  'update api_key set revoked_at = null',
  'delete from api_key',
  'truncate api_key',
  'update api_key set last_used_at = now()',
  'select from access.signing_key',
  'select from access.session',
  'insert into access.session select * from access.session',
  'update access.signing_key set secret = secret',
  `select access.hmac('x', 'x')`,
  `select access.create_key('{}', 'x', null)`,
  'select access.note_use(null)',
  'create or replace function change_access(request text, signature text) returns jsonb language sql return null',
  'alter function change_access(text, text) reset all',
  'delete from alert',
  'update alert_subject set subject = subject',
  'truncate alert_crossing',
  'drop trigger product_alerts_after_update on catalog.product',
  'alter table catalog.product disable trigger all',
  'select product_alerts()',
  'update secret.alert_secret set secret = secret',
  'update secret.sealing_key set private_key = private_key',
  'delete from secret.sealing_key',
  'create table secret.planted ()',
  'update sale_line set amount = 0',
  'delete from sale_line',
  'delete from payment_callback',
  'update payment_callback set items = items',
  'delete from analytics_event_key',
  'update interaction_batch set events = 0',
  'delete from interaction_batch',
  'delete from product_rating',
  'delete from product_popularity',
  'truncate product_popularity',
  'drop table product_popularity',
  'alter table popularity_rules disable trigger all',
  'update weight set weight_micros = 0',
  `insert into migration (name, sha256) values ('x', 'x')`,
  'update migration set sha256 = sha256',
  'delete from migration',
  'update report_definition set name = name',
]

/** @param month The current month of `interaction`, as interaction_2026_10. */
export const refusedToEndpoint = (month: string): Refused => ({
  [DENIED]: [
    ...OF_BOTH,
    ...TABLES_OF_LOG.flatMap(ofLogTable),
    ...ofMonth(month),
    ...CHANGES_OF_WHAT_IS_KEPT,
    // The end of the log: 60 days are kept.
    `update log_horizon set horizon = '2100-01-01'`,
    'update log_horizon set keep_days_min = 32',
    'delete from log_horizon',
    'select move_log_horizon(59)',
    'select move_log_horizon(0)',
    'select move_log_horizon(-100000)',
    'select move_log_horizon(null)',
    `select check_log_table('interaction')`,
    'select keep_rating()',
  ],
  [RAISED]: [
    `select drop_log_month('interaction', now()::date)`,
    `select drop_log_month('interaction', '2001-01-01')`,
    `select drop_log_month('interaction', (date_trunc('month', now())::date || ' BC')::date)`,
    `select drop_log_month('interaction', '-infinity')`,
    `select drop_log_month('audit_entry', '2001-01-01')`,
    `select drop_log_month('api_key', null)`,
    `select make_log_months('audit_entry', '{2026-01-01}')`,
    `select make_log_months('pg_class', '{2026-01-01}')`,
    `select make_log_months('interaction (like api_key)', '{2026-01-01}')`,
    `select make_log_months('interaction', '{9999-01-01}')`,
    `select make_log_months('interaction', '{1999-12-31}')`,
    `select make_log_months('interaction', '{infinity}')`,
    `select make_log_months('interaction', '{2026-01-01 BC}')`,
  ],
})

const LOCKS = [
  ...['', 'try_'].flatMap((prefix) =>
    ['', 'xact_'].flatMap((scope) =>
      ['lock', 'lock_shared'].flatMap((kind) =>
        [`${LOCK}`, '1, 2'].map((key) => `select pg_${prefix}advisory_${scope}${kind}(${key})`),
      ),
    ),
  ),
  'select pg_advisory_unlock_all()',
]

export const REFUSED_TO_GATEWAY: Refused = {
  [DENIED]: [
    ...OF_BOTH,
    ...LOCKS,
    ...TABLES_OF_LOG.flatMap(ofLogTable),
    'insert into interaction default values',
    inTransaction('lock table interaction in row share mode'),
    inTransaction('lock table api_key in row exclusive mode'),
    `insert into audit_entry (actor, action, resource_type, resource_id) values ('x', 'x', 'x', 'x')`,
    'insert into api_key select * from api_key',
    'select from secret.alert_secret',
    'select from secret.sealing_key',
    `select change_access('{}', '')`,
    `select access.hmac('x', 'x')`,
    'update access.session set seen_at = now()',
    'insert into access.session select * from access.session',
    'update access.signing_key set secret = secret',
    'insert into alert_crossing select * from alert_crossing',
    'select from alert for share',
    'select from log_horizon for share',
    `select make_log_months('interaction', '{2026-01-01}')`,
    `select drop_log_month('interaction', '2001-01-01')`,
    'select move_log_horizon(1000)',
    `copy api_key from stdin`,
    `select nextval('audit_entry_audit_id_seq')`,
  ],
}
