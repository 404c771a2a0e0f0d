import { sql } from 'kysely'
import type { Database } from '../../../src/store/database/connection.ts'
import { createDatabase } from '../../harness/servers/database.ts'
import { type BenchPostgres, startBenchPostgres } from '../servers/bench-postgres.ts'
import { withoutTimeout } from '../servers/without-timeout.ts'
import { storeCounted } from './shop.ts'

export interface LargeShop {
  products: number
  events: number
  days: number
}

export const LARGE_SHOP: LargeShop = { products: 1_000_000, events: 3_000_000, days: 30 }
export const SMALL_SHOP: LargeShop = { products: 20_000, events: 100_000, days: 30 }
/** Words of names; the first ones are in most of them, as in a shop. */
export const WORDS = 5_000

type Filled = BenchPostgres & { databaseUrl: string }
const started = new Map<LargeShop, Promise<Filled>>()

/** A PostgreSQL with the shop, filled once for all rows of this process, because that takes minutes. `stopLargeShops` ends it. */
export function largeShop(shop: LargeShop): Promise<Filled> {
  const known = started.get(shop) ?? startFilled(shop)
  started.set(shop, known)
  return known
}

export async function stopLargeShops(): Promise<void> {
  for (const shop of started.values()) await (await shop).stop()
  started.clear()
}

async function startFilled(shop: LargeShop): Promise<Filled> {
  const postgres = await startBenchPostgres()
  // A run that is interrupted leaves no time to stop it in order.
  const end = () => void process.kill(postgres.pid, 'SIGINT')
  process.once('exit', end)
  const { db, url: databaseUrl } = await createDatabase(postgres.url)
  const startMs = performance.now()
  await storeLargeShop(db, shop)
  console.log(
    `${shop.products.toLocaleString('en')} products were stored in ${Math.round((performance.now() - startMs) / 1_000)} s`,
  )
  await db.destroy()
  const stop = () => {
    process.off('exit', end)
    return postgres.stop()
  }
  return { ...postgres, databaseUrl, stop }
}

/** Stores a shop whose events were counted long ago, and about half of whose products have events. */
export async function storeLargeShop(db: Database, shop: LargeShop): Promise<void> {
  await withoutTimeout(db, async (unlimited) => {
    await sql`set maintenance_work_mem = '512MB'`.execute(unlimited)
    await sql`set work_mem = '256MB'`.execute(unlimited)
    await storeCounted(unlimited, shop)
    await storeNamed(unlimited, shop)
    await sql`vacuum (analyze)`.execute(unlimited)
  })
}

/** The word n is in some 3 / n of a hundred names. Products are written in another order than that of their ids. */
async function storeNamed(db: Database, { products }: LargeShop): Promise<void> {
  const { rows } = await sql<{ indexdef: string }>`
    select indexdef from pg_indexes where schemaname = 'catalog' and indexname = 'product_search_words'`.execute(db)
  // A GIN index is built in a tenth of the time that it takes to add row by row.
  await sql`drop index catalog.product_search_words`.execute(db)
  await sql`
    insert into catalog.product (product_id, name, seller_id, category, brand, price, currency, quantity, status, updated_at, call_id)
    select 'p-' || 1 + (n * 7919) % ${products}::bigint, name, 's-' || n % ${Math.max(1, products / 200)}::int, 'c-' || n % 300,
      'b-' || n % 900, n % 10000, 'EUR', n % 500,
      case when n % 49 = 0 then 'deleted' when n % 97 = 0 then 'hidden' else 'active' end, '2026-01-01', gen_random_uuid()
    from (
      select n, (
        select string_agg('word' || floor(power(${WORDS}::float8, ((n * 7919 + place * 104729) % 100003) / 100003.0)), ' ')
        from generate_series(1, 3 + n % 3) place) as name
      from generate_series(1, ${products}::bigint) n
    ) named`.execute(db)
  await sql.raw(rows[0]!.indexdef).execute(db)
}
