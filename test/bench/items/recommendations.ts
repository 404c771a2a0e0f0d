import { sql } from 'kysely'
import { versionOfLog } from '../../harness/items/shop-with-history.ts'
import type { Database } from '../../../src/store/database/connection.ts'
import { makePartitions, monthOf } from '../../../src/store/log/month.ts'
import { withoutTimeout } from '../servers/without-timeout.ts'
import { storeProducts } from './products.ts'
import { eachEvent, PRODUCTS } from './similarity-events.ts'

const CHUNK = 50_000
const HOURS = 20
const HOUR_MS = 3_600_000

export const productIdOf = (product: number): string => `p-${product + 1}`
export const sessionOf = (shopper: number): string => `s-${shopper}`

export interface StoredShoppers {
  /** The products of each shopper, oldest first. */
  histories: string[][]
}

/**
 * Stores 100,000 products of 200 categories and 1,000 brands, views of shoppers over the last hours as recording and feeding leave them, and
 * the version that is made from these. Each shopper is a session with 10 events on average.
 */
export async function storeRecommendable(db: Database, events: number): Promise<StoredShoppers> {
  await storeProducts(db, PRODUCTS)
  const histories = historiesOf(events)
  await withoutTimeout(db, async (unlimited) => {
    await sql`
      insert into catalog.product (product_id, name, category, brand, seller_id, price, currency, quantity, status, updated_at, call_id)
      select 'p-' || n, 'Product ' || n, 'category ' || n % 200, 'brand ' || n % 1000, 'seller ' || n % 50, 500 + n % 20000, 'EUR',
        case when n % 20 = 0 then 0 else n % 40 end, case when n % 50 = 1 then 'hidden' else 'active' end, now() - interval '1 day',
        gen_random_uuid()
      from generate_series(1, ${PRODUCTS}::int) n`.execute(unlimited)
    const nowMs = Date.now()
    await makePartitions(unlimited, [...new Set([monthOf(nowMs - HOURS * HOUR_MS), monthOf(nowMs)])])
    await storeEvents(unlimited, histories, nowMs - HOURS * HOUR_MS)
    await sql`vacuum (analyze)`.execute(unlimited)
  })
  await versionOfLog(db)
  await sql`vacuum (analyze) similarity_row`.execute(db)
  return { histories }
}

function historiesOf(events: number): string[][] {
  const histories: string[][] = []
  eachEvent(events, (shopper, product) => {
    const history = histories[shopper] ?? []
    history.push(productIdOf(product))
    histories[shopper] = history
  })
  return histories
}

async function storeEvents(db: Database, histories: readonly string[][], fromMs: number): Promise<void> {
  const shoppers = histories.flatMap((history, shopper) => history.map(() => sessionOf(shopper)))
  const products = histories.flat()
  const stepMs = (HOURS * HOUR_MS) / products.length
  await sql`
    insert into interaction_batch (occurred_from, occurred_to, events, invocation_id, body_sha256, scored_at, fed_at, recent_at, tombstone_no)
    values (now() - interval '1 day', now(), ${products.length}, 'bench', sha256('bench'), now(), now(), now(), 0)`.execute(db)
  await sql`create temporary table done (occurred_at timestamptz, event_id uuid, shopper text, product_id text)`.execute(db)
  for (let first = 0; first < products.length; first += CHUNK) {
    const [some, of] = [shoppers.slice(first, first + CHUNK), products.slice(first, first + CHUNK)]
    await sql`
      insert into done select date_trunc('milliseconds', to_timestamp(${fromMs / 1_000}::float8 + (${first}::int + place) * ${stepMs / 1_000}::float8)),
        gen_random_uuid(), shopper, product_id
      from unnest(${some}::text[], ${of}::text[]) with ordinality as e(shopper, product_id, place)`.execute(db)
  }
  await sql`
    insert into interaction (occurred_at, batch_id, event_id, is_category, event_type, ref_id, session_id)
    select occurred_at, (select max(batch_id) from interaction_batch), event_id, false, 'view', product_id, shopper from done`.execute(
    db,
  )
  await sql`
    insert into shopper_recent (shopper_id, occurred_at, event_id, product_id, event_type)
    select 'session:' || shopper, occurred_at, event_id, product_id, 'view' from (
      select *, row_number() over (partition by shopper order by occurred_at desc) as place from done) d
    where place <= 100 order by 1, 2, 3`.execute(db)
  await sql`
    insert into shopper_product (shopper_id, product_id, event_type, events, last_at)
    select 'session:' || shopper, product_id, 'view', count(*), max(occurred_at) from done group by 1, 2 order by 1, 2`.execute(
    db,
  )
  await sql`drop table done`.execute(db)
}
