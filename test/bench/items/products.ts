import { sql } from 'kysely'
import type { Database } from '../../../src/store/database/connection.ts'
import { withoutTimeout } from '../servers/without-timeout.ts'

/** The best product's score, in millionths; the others follow by Zipf(1). */
const BEST_MICROS = 1e13

/** Stores `count` products with scores and counters, as if their events had been counted long ago. */
export async function storeProducts(db: Database, count: number): Promise<void> {
  await withoutTimeout(db, async (unlimited) => {
    await sql`
    insert into product_popularity (product_id, score_micros, trending, view_count, purchase_count, favorite_count, cart_count,
      review_count, search_click_count, interaction_count, last_interaction, date_updated)
    select 'p-' || 1 + (rank * 7919::bigint) % ${count}, ${BEST_MICROS}::bigint / rank, 1e7 / rank, 1 + 5000000 / rank, 400000 / rank,
      80000 / rank, 1000000 / rank, 10000 / rank, 250000 / rank, 4 + 6740000 / rank, now() - rank * interval '1 second', now()
    from generate_series(1, ${count}::int) rank`.execute(unlimited)
    await sql`vacuum (analyze) product_popularity`.execute(unlimited)
  })
}
