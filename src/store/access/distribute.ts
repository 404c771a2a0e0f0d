import { readFile } from 'node:fs/promises'
import { sql } from 'kysely'
import { DecidedError } from '../../contract/decided-error.ts'
import type { Database, Queryable } from '../database/connection.ts'
import { DISTRIBUTED_FUNCTIONS, type Placement, PLACEMENTS } from '../database/distribution.ts'
import { alterTables } from '../database/locks.ts'
import { onlyRow } from '../database/rows.ts'
import { takeLogBack } from './log-owner.ts'

/** A step of the preparation: SQL that is executed in a transaction of its own. */
export type Step = readonly string[]

export interface DistributeOptions {
  /** sql/citus/functions.sql */
  functionsFile: string
  /** Shards of each distributed table. */
  shards: number
}

/**
 * What is left to do so that Citus has the tables where `PLACEMENTS` says: the triggers go first, all at once, then table after table. A preparation
 * that was killed goes on here. @throws DecidedError when the database is not ready for it.
 */
export async function distributionSteps(db: Database, { functionsFile, shards }: DistributeOptions): Promise<Step[]> {
  await checkReady(db)
  const placed = await placedTables(db)
  const triggers = await triggersToDrop(db)
  const functions = await readFile(functionsFile, 'utf8')
  return [
    [
      ...(await takeLogBack(db)),
      ...triggers.map(({ trigger, on }) => `drop trigger ${trigger} on ${on}`),
      functions.trim(),
      // Releases before this one rely on the triggers.
      `update migration set works_since = left(name, 4) where name = (select max(name) from migration)`,
    ],
    ...PLACEMENTS.filter(({ table }) => !placed.has(table)).map((placement) => [placing(placement, shards)]),
    ...DISTRIBUTED_FUNCTIONS.map((name) => [`select create_distributed_function('${name}')`]),
  ]
}

/** Executes the steps. */
export async function distribute(db: Database, steps: readonly Step[]): Promise<void> {
  for (const [n, step] of steps.entries()) {
    const work = async (tx: Queryable) => {
      for (const statement of step) await sql.raw(statement).execute(tx)
    }
    // The first step needs locks on tables that all processes use.
    await (n === 0 ? alterTables(db, work) : db.transaction().execute(work))
  }
}

function placing(placement: Placement, shards: number): string {
  const { table } = placement
  if (placement.as === 'local') return `select citus_add_local_table_to_metadata('${table}')`
  if (placement.as === 'reference') return `select create_reference_table('${table}')`
  const { by, group } = placement
  const first = PLACEMENTS.find((other) => other.as === 'distributed' && other.group === group)!.table
  const where = first === table ? `shard_count => ${shards}, colocate_with => 'none'` : `colocate_with => '${first}'`
  return `select create_distributed_table('${table}', '${by}', ${where})`
}

async function checkReady(db: Queryable): Promise<void> {
  const { rows } = await sql`select from pg_proc where proname = 'create_distributed_table'`.execute(db)
  if (rows.length === 0)
    throw new DecidedError(
      'conflict',
      'The database has no Citus: install it on every node, and run create extension citus in this database.',
    )
  const result = await sql<{ hasCoordinator: boolean; hasRules: boolean }>`
    select exists (select from pg_dist_node where groupid = 0) as "hasCoordinator",
      (select rule from ledger_rule) >= 2 and (select rule from product_tie_rule) >= 2 as "hasRules"`.execute(db)
  const { hasCoordinator, hasRules } = onlyRow(result)
  const connected = await connectedProcesses(db)
  if (!hasCoordinator)
    throw new DecidedError(
      'conflict',
      'Citus does not know its coordinator: run select citus_set_coordinator_host(HOST, PORT) first.',
    )
  if (!hasRules)
    throw new DecidedError(
      'conflict',
      'An older rule for payments or products is in force: let this release run for ten minutes first.',
    )
  if (connected.length > 0)
    throw new DecidedError(
      'conflict',
      `Stop every process of Footfall first, because the triggers that they rely on are dropped: ${connected.join(', ')}.`,
    )
}

/** The names of Footfall's processes that are connected to the database. */
export async function connectedProcesses(db: Queryable): Promise<string[]> {
  const { rows } = await sql<{ name: string }>`
    select distinct application_name as name from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid() and application_name like 'footfall %'
      and application_name not like 'footfall migrate%' order by 1`.execute(db)
  return rows.map(({ name }) => name)
}

/** The tables that Citus knows, as PLACEMENTS names them. */
async function placedTables(db: Queryable): Promise<Set<string>> {
  const { rows } = await sql<{ table: string }>`
    select case nspname when 'public' then relname else nspname || '.' || relname end as "table"
    from pg_dist_partition p join pg_class c on c.oid = p.logicalrelid join pg_namespace n on n.oid = c.relnamespace`.execute(db)
  return new Set(rows.map(({ table }) => table))
}

/** The triggers of reference and distributed tables, and those of months. A trigger of a parent takes those of its months along. */
async function triggersToDrop(db: Queryable): Promise<{ trigger: string; on: string }[]> {
  const tables = PLACEMENTS.filter(({ as }) => as !== 'local').map(({ table }) => table)
  const { rows } = await sql<{ trigger: string; on: string }>`
    select quote_ident(t.tgname) as trigger, t.tgrelid::regclass::text as "on" from pg_trigger t
    where not t.tgisinternal and t.tgparentid = 0 and (t.tgrelid = any(${tables}::text[]::regclass[]::oid[])
      or t.tgrelid in (select inhrelid from pg_inherits where inhparent = any(${tables}::text[]::regclass[]::oid[])))
      and t.tgname !~ '^truncate_trigger_[0-9]+$'
    order by 2, 1`.execute(db)
  return rows
}
