import { sql } from 'kysely'
import { createApiKey, type NewApiKey } from '../../../src/store/access/api-key.ts'
import type { Database } from '../../../src/store/database/connection.ts'
import { comingMonths, makePartitions } from '../../../src/store/log/month.ts'
import { withoutTimeout } from '../servers/without-timeout.ts'
import { storeReportData } from './report-data.ts'
import { largeSellerOf, sellerOf, storeSales } from './sellers.ts'
import { storeShop } from './shop.ts'

export interface FairData {
  products: number
  /** Counted events, sale lines, analytics events, and searches: so many of each. */
  rows: number
}

export const CATEGORIES = 50
export const PAYMENT_SECRET = 'the secret of the bench'
const DAYS = 90
const SELLERS = 100
/** How many times as many sale lines the seller of an abusive key has. */
const LARGER = 10
const ENTITIES = 2_000
const QUERIES = 5_000

/** Stores a shop, sales, reports and searches, so that reads of every kind cost something. */
export async function storeFairData(db: Database, { products, rows }: FairData): Promise<void> {
  await storeShop(db, { products, events: rows, days: DAYS, categories: CATEGORIES })
  await storeSales(db, { sellers: SELLERS, lines: rows, days: DAYS, larger: [LARGER], largeDays: DAYS })
  await storeReportData(db, { events: rows, days: DAYS, entities: ENTITIES })
  await makePartitions(db, await comingMonths(db, 1))
  // Within a month, so that no other partition is needed.
  const query = sql`'lamp ' || n % ${sql.lit(QUERIES)}`
  const insert = sql`
    insert into search (occurred_at, batch_id, event_id, query, normalised_query, session_id, product_ids)
    select date_trunc('month', now()) + n * interval '1 ms', 0, gen_random_uuid(), ${query}, ${query}, 's', '{p-1}'
    from generate_series(1, ${rows}::int) n`
  await withoutTimeout(db, (unlimited) => insert.execute(unlimited))
}

export type FairKeys = Awaited<ReturnType<typeof fairKeys>>

/** Keys of abusive callers, then one for each bystander; with the default rates. */
export async function fairKeys(db: Database) {
  const key = async (changes: Partial<NewApiKey>) => {
    const made = { name: 'bench', scopes: ['ingest'] as const, isPublishable: false, origins: [], sellerId: null }
    return (await createApiKey(db, { ...made, requestsPerMinute: null, ...changes })).text
  }
  const publishable = { isPublishable: true, origins: ['https://shop.example'] }
  const reader = { scopes: ['read'] as const }
  return {
    secret: await key({ scopes: ['ingest', 'read', 'manage'] }),
    publishable: await key(publishable),
    ofSeller: await key({ ...reader, sellerId: largeSellerOf(LARGER) }),
    ingest: await key({}),
    page: await key(publishable),
    product: await key(reader),
    top: await key(reader),
    windowed: await key(reader),
    report: await key(reader),
    seller: await key({ ...reader, sellerId: sellerOf(1) }),
  }
}
