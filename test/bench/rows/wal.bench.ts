import { sql } from 'kysely'
import { onlyRow } from '../../../src/store/database/rows.ts'
import { HOUR_MS } from '../../../src/contract/fields/time.ts'
import { createDatabase } from '../../harness/servers/database.ts'
import { ingestGroup } from '../ingest/ingest-group.ts'
import { chunksOf, dayOfTraffic, type Item, traffic } from '../items/events.ts'
import { type Claim, formatted, type RowResult } from '../measure/claim.ts'
import {
  APART,
  bloatClaims,
  bytesApart,
  bytesOfNewTables,
  bytesOfOthers,
  CHANGED,
  tableBytes,
  type TableBytes,
} from '../measure/table-bytes.ts'
import { walBytesBetween, walPlace } from '../measure/wal-bytes.ts'
import { startBenchPostgres } from '../servers/bench-postgres.ts'
import { withParts } from '../servers/bench-stack.ts'

const EVENTS = { full: 400_000, quick: 50_000 }
const SMALL = { full: 108_000, quick: 10_000 }
/** Of so many, 108,000 events are about some 15,300. */
const SMALL_PRODUCTS = 24_700
const BATCH_EVENTS = 1_000
const GROUP_BATCHES = 8
/** As `npm start` has it: it decides how large tables become that change. */
const VACUUM = { autovacuum_naptime: '5s' }

interface Ingested {
  events: number
  products: number
  wal: number
  walApart: number
  /** Bytes per event of each table with its indexes, and of what `vacuum full` leaves of those that change. */
  tables: TableBytes
  vacuumed: TableBytes
}

/** What PostgreSQL writes for an event: into its write-ahead log, and into tables that change. It needs the extension pg_walinspect. */
export function wal(isQuick: boolean): Promise<RowResult> {
  const size = isQuick ? 'quick' : 'full'
  return withParts(async (stopAtEnd) => {
    const postgres = stopAtEnd(await startBenchPostgres(VACUUM))
    const day = await ingested(postgres.url, dayOfTraffic(EVENTS[size]))
    const small = await ingested(postgres.url, smallShop(SMALL[size]))
    return { claims: [...claimsOfDay(day), ...claimsOfSmallShop(small)], measured: { day: asJson(day), small: asJson(small) } }
  })
}

/** An hour of a shop with fewer products. */
function smallShop(count: number): Item[] {
  const next = traffic(1, SMALL_PRODUCTS)
  const startMs = Date.now() - HOUR_MS
  return Array.from({ length: count }, (_, index) => next(startMs + Math.floor((index / count) * HOUR_MS)))
}

async function ingested(url: string, items: readonly Item[]): Promise<Ingested> {
  const { db, drop } = await createDatabase(url)
  await sql`create extension pg_walinspect`.execute(db)
  const sum = { total: 0, ofTables: 0 }
  for (const [index, group] of chunksOf(chunksOf(items, BATCH_EVENTS), GROUP_BATCHES).entries()) {
    const from = await walPlace(db)
    await ingestGroup(db, group, `call ${index}`)
    // At once, because a checkpoint gives the log of before away.
    const part = await walBytesBetween(db, from, await walPlace(db), APART)
    sum.total += part.total
    sum.ofTables += part.ofTables
  }
  const tables = await tableBytes(db, items.length)
  const vacuumed = await bytesOfNewTables(db, items.length)
  const result = await sql<{ products: number }>`select count(*)::int as products from product_popularity`.execute(db)
  await drop()
  const walApart = sum.ofTables / items.length
  return {
    ...{ events: items.length, products: onlyRow(result).products, tables, vacuumed },
    ...{ wal: sum.total / items.length - walApart, walApart },
  }
}

function claimsOfDay(day: Ingested): Claim[] {
  return [
    {
      what: 'bytes of write-ahead log per event in batches of 1,000, without recent events of shoppers',
      ...{ measured: day.wal, target: { max: 850 } },
      detail: `${day.events.toLocaleString('en')} events of a day, ${GROUP_BATCHES} batches counted at a time, without whole pages`,
    },
    { what: '— of recent events of shoppers', measured: day.walApart, detail: 'with their key' },
    ...bloatClaims(day.tables, day.vacuumed),
  ]
}

function claimsOfSmallShop(small: Ingested): Claim[] {
  const parts = ['interaction', ...CHANGED].map((table) => `${table} ${formatted(small.tables.get(table)!)}`)
  return [
    {
      what: 'bytes of disk per event of a small shop, without recent events of shoppers',
      ...{ measured: bytesOfOthers(small.tables), target: { max: 420 } },
      detail: `${small.events.toLocaleString('en')} events of an hour about ${small.products.toLocaleString('en')} products: ${parts.join(', ')}`,
    },
    { what: '— of recent events of shoppers', measured: bytesApart(small.tables), detail: 'with their key' },
  ]
}

function asJson({ tables, vacuumed, ...numbers }: Ingested): object {
  return { ...numbers, tables: Object.fromEntries(tables), vacuumed: Object.fromEntries(vacuumed) }
}
