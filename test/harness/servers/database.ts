import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { type RawBuilder, sql } from 'kysely'
import { PRESETS } from '../../../src/ranking/weights.ts'
import { connect, type Database } from '../../../src/store/database/connection.ts'
import { migrate } from '../../../src/store/database/migration.ts'
import { comingMonths, LOG_TABLES, makePartitions } from '../../../src/store/log/month.ts'
import { AGGREGATES } from '../../../src/store/proof/aggregates.ts'
import { createOnNodes, distributeOnNodes, dropOnNodes } from './citus-server.ts'
import { distributeOnStubs, followDeletedProducts } from './citus-stubs.ts'
import { changeLanes } from '../../../src/store/popularity/lanes.ts'
import { rescore, type Rules } from '../../../src/store/popularity/popularity-rules.ts'

const TEMPLATE = 'footfall_template'

export const BALANCED: Rules = { weightsName: 'balanced', weights: PRESETS.balanced, halfLifeHours: 72, windowHours: 168 }

export interface TestDatabase {
  url: string
  db: Database
  drop: () => Promise<void>
}

/** The databases that were made in this process and are not dropped yet, by name. */
export const openDatabases = new Set<string>()

/** Makes the database that the others are copied from. */
export async function prepareTemplate(serverUrl: string): Promise<void> {
  // A database of Citus cannot be copied.
  if (!isOnCitus) await prepareDatabase(serverUrl, TEMPLATE)
}

/** In how many lanes tests count. */
export const TEST_LANES = Number(process.env['TEST_LANES'] ?? 1)

const isOnCitus = process.env['TEST_CITUS'] === 'server'

/** Makes a database with all of sql/, the balanced weights and this month's partitions. @returns its address. */
export async function prepareDatabase(serverUrl: string, name: string): Promise<string> {
  if (isOnCitus) await createOnNodes(serverUrl, name)
  else {
    const server = connect({ url: serverUrl, name: 'test', connectionsMax: 1 })
    await sql`create database ${sql.id(name)}`.execute(server)
    await server.destroy()
  }
  const url = withDatabase(serverUrl, name)
  const db = connect({ url, name: 'test' })
  await migrate(db, join(import.meta.dirname, '..', '..', '..', 'sql'))
  await rescore(db, BALANCED)
  await changeLanes(db, TEST_LANES)
  await makePartitions(db, await comingMonths(db, 2))
  // Prepared as for Citus, so that statements do what triggers do elsewhere.
  if (process.env['TEST_CITUS'] === 'stubs') {
    await distributeOnStubs(db)
    await followDeletedProducts(db)
  }
  if (isOnCitus) await distributeOnNodes(db)
  await db.destroy()
  return url
}

/** A new copy of the template, or of a large database without connections. */
export function createDatabase(serverUrl: string, large?: TestDatabase): Promise<TestDatabase> {
  // The default strategy writes every page into the log, which is faster for small databases only.
  return createFrom(serverUrl, large ? sql`${sql.id(nameIn(large.url))} strategy file_copy` : sql.id(TEMPLATE))
}

/** An empty database. */
export function createEmptyDatabase(serverUrl: string): Promise<TestDatabase> {
  return createFrom(serverUrl, sql`template0`)
}

async function createFrom(serverUrl: string, source: RawBuilder<unknown>): Promise<TestDatabase> {
  const name = `t_${randomBytes(6).toString('hex')}`
  if (isOnCitus) return createForCitus(serverUrl, name)
  const server = connect({ url: serverUrl, name: 'test', connectionsMax: 1, statementMsMax: 0 })
  await sql`create database ${sql.id(name)} template ${source}`.execute(server)
  openDatabases.add(name)
  const url = withDatabase(serverUrl, name)
  const db = connect({ url, name: 'test' })
  const drop = async () => {
    await db.destroy()
    await sql`drop database ${sql.id(name)} with (force)`.execute(server)
    await server.destroy()
    openDatabases.delete(name)
  }
  return { url, db, drop }
}

async function createForCitus(serverUrl: string, name: string): Promise<TestDatabase> {
  const url = await prepareDatabase(serverUrl, name)
  openDatabases.add(name)
  const db = connect({ url, name: 'test' })
  const drop = async () => {
    await db.destroy()
    await dropOnNodes(serverUrl, name)
    openDatabases.delete(name)
  }
  return { url, db, drop }
}

/** What was recorded, what follows from it, and the runs. Rejected items come first, because they refer to their batches. */
const CLEARED = [
  'rejected_interaction',
  'interaction_batch',
  ...LOG_TABLES,
  'payment_callback',
  'analytics_event_key',
  'event_source',
  // The catalog stays, and with it what follows from it.
  ...AGGREGATES.flatMap(({ table }) => (['product_metric', 'catalog.product_search'].includes(table) ? [] : [table])),
  'product_rising',
  'ingest_call',
  'ingest_delta',
  'recorded_call',
  'recent_waiting',
  'shopper_redirect',
  'impression',
  'report_bucket',
  'dirty_mark',
  'recompute_run',
  'replay_run',
  'similarity_version',
  'similarity_run',
  'verification_run',
  'erasure_event',
  'erasure_shopper',
  'erasure_count',
  'erasure_run',
  'person_export',
  'shopper_tombstone',
  'alert',
  'alert_subject',
  'alert_crossing',
  'secret.alert_secret',
]

/**
 * Deletes everything recorded and counted, in 4 ms for the few rows of a test. Truncating creates a new file for each index of
 * every partition, which takes 120 ms.
 */
export async function clear(db: Database): Promise<void> {
  for (const table of CLEARED) await sql`delete from ${sql.table(table)}`.execute(db)
  await sql`delete from similarity_settings where settings_version > 0`.execute(db)
  await sql`update similarity_settings set in_force = true, promoted_at = null, promoted_by = null`.execute(db)
  await sql`update similarity_current set version = null, previous = null`.execute(db)
}

function nameIn(url: string): string {
  return new URL(url).pathname.slice(1)
}

function withDatabase(url: string, name: string): string {
  const changed = new URL(url)
  changed.pathname = `/${name}`
  return changed.href
}
