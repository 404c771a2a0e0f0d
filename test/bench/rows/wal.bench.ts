import { sql } from 'kysely'
import { onlyRow } from '../../../src/store/database/rows.ts'
import { HOUR_MS } from '../../../src/contract/fields/time.ts'
import { createDatabase, type TestDatabase } from '../../harness/servers/database.ts'
import { ingestGroup } from '../ingest/ingest-group.ts'
import { entrancesOf } from '../ingest/ingest-run.ts'
import { chunksOf, type Item, traffic } from '../items/events.ts'
import type { Claim, RowResult } from '../measure/claim.ts'
import {
  RECENT,
  bloatClaims,
  bytesOfRecent,
  rewriteChanged,
  bytesWithoutRecent,
  partsOf,
  tableBytes,
  type TableBytes,
} from '../measure/table-bytes.ts'
import { mustHaveCounted } from '../measure/row-counts.ts'
import { isSettled, waitUntil } from '../measure/settled.ts'
import { walBytesBetween, walPlace } from '../measure/wal-bytes.ts'
import { startBenchPostgres, VACUUM_OF_START } from '../servers/bench-postgres.ts'
import { type BenchStack, withStack } from '../servers/bench-stack.ts'

const EVENTS = { full: 400_000, quick: 50_000 }
const SECONDS_MAX = 120
const CONNECTIONS = 32
const SMALL = { full: 108_000, quick: 10_000 }
/** Of so many, 108,000 events are about some 15,300. */
const SMALL_PRODUCTS = 24_700
const BATCH_EVENTS = 1_000
const GROUP_BATCHES = 8
/** All of the log is kept until it was read. */
const SETTINGS = { ...VACUUM_OF_START, wal_keep_size: '3GB' }

interface Ingested {
  events: number
  products: number
  wal: number
  walOfRecent: number
  /** Bytes per event of each table with its indexes, and of what `vacuum full` leaves of those that change. */
  tables: TableBytes
  vacuumed: TableBytes
}

/** What PostgreSQL writes for an event: into its write-ahead log, and into tables that change. It needs the extension pg_walinspect. */
export function wal(isQuick: boolean): Promise<RowResult> {
  const size = isQuick ? 'quick' : 'full'
  const work = async (stack: BenchStack) => {
    const day = await ingested(stack, EVENTS[size], throughGateway)
    const small = await ingested(stack, SMALL[size], inGroups)
    return { claims: [...claimsOfDay(day), ...claimsOfSmallShop(small)], measured: { day: asJson(day), small: asJson(small) } }
  }
  return withStack(work, () => startBenchPostgres(SETTINGS))
}

/** A day's events. As many are counted at a time as there are while they come in. */
async function throughGateway(
  { gateway, restate, endpoint, load }: BenchStack,
  { db, url }: TestDatabase,
  events: number,
): Promise<void> {
  await endpoint.use(url)
  const job = {
    requestEvents: BATCH_EVENTS,
    connections: CONNECTIONS,
    requestsMax: events / BATCH_EVENTS,
    secondsMax: SECONDS_MAX,
  }
  const run = await load.prepare({ kind: 'ingest', ...entrancesOf({ gateway, restate }).gateway, ...job })
  await run()
  await waitUntil(() => isSettled(db))
  await endpoint.use(null)
}

/** Events of a small shop. */
async function inGroups(_: BenchStack, { db }: TestDatabase, events: number): Promise<void> {
  for (const [index, group] of chunksOf(chunksOf(smallShop(events), BATCH_EVENTS), GROUP_BATCHES).entries()) {
    await ingestGroup(db, group, `call ${index}`)
  }
}

/** An hour of a shop with fewer products. */
function smallShop(count: number): Item[] {
  const next = traffic(1, SMALL_PRODUCTS)
  const startMs = Date.now() - HOUR_MS
  return Array.from({ length: count }, (_, index) => next(startMs + Math.floor((index / count) * HOUR_MS)))
}

async function ingested(
  stack: BenchStack,
  events: number,
  ingest: (stack: BenchStack, database: TestDatabase, events: number) => Promise<void>,
): Promise<Ingested> {
  const database = await createDatabase(stack.postgres.url)
  const { db, drop } = database
  await sql`create extension pg_walinspect`.execute(db)
  const from = await walPlace(db)
  await ingest(stack, database, events)
  const wal = await walBytesBetween(db, from, await walPlace(db), RECENT)
  await mustHaveCounted(db, events)
  const tables = await tableBytes(db, events)
  const vacuumed = await rewriteChanged(db, events)
  const result = await sql<{ products: number }>`select count(*)::int as products from product_popularity`.execute(db)
  await drop()
  const walOfRecent = wal.ofTables / events
  return { events, products: onlyRow(result).products, tables, vacuumed, wal: wal.total / events - walOfRecent, walOfRecent }
}

function claimsOfDay(day: Ingested): Claim[] {
  return [
    {
      what: 'bytes of write-ahead log per event in requests of 1,000, without recent events of shoppers',
      ...{ measured: day.wal, target: { max: 850 } },
      detail: `${day.events.toLocaleString('en')} events of a day through the gateway, ${CONNECTIONS} connections, without whole pages`,
    },
    { what: '— of recent events of shoppers', measured: day.walOfRecent, detail: 'with their key' },
    ...bloatClaims(day.tables, day.vacuumed),
  ]
}

function claimsOfSmallShop(small: Ingested): Claim[] {
  return [
    {
      what: 'bytes of disk per event of a small shop, without recent events of shoppers',
      ...{ measured: bytesWithoutRecent(small.tables), target: { max: 420 } },
      detail: `${small.events.toLocaleString('en')} events of an hour about ${small.products.toLocaleString('en')} products: ${partsOf(small.tables)}`,
    },
    { what: '— of recent events of shoppers', measured: bytesOfRecent(small.tables), detail: 'with their key' },
  ]
}

function asJson({ tables, vacuumed, ...numbers }: Ingested): object {
  return { ...numbers, tables: Object.fromEntries(tables), vacuumed: Object.fromEntries(vacuumed) }
}
