import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import { VERSION_DEFAULTS } from '../../../src/ranking/similarity/version-settings.ts'
import type { Database } from '../../../src/store/database/connection.ts'
import { makePartitions, monthOf } from '../../../src/store/log/month.ts'
import { makeVersion } from '../../../src/store/similarity/make-version.ts'
import { beginSimilarityRun, completeSimilarityRun, requestSimilarityRun } from '../../../src/store/similarity/run-machine.ts'
import { startSimilarityJob } from '../../../src/workers/similarity-job.ts'
import { withoutTimeout } from '../servers/without-timeout.ts'

export interface ShopLog {
  events: number
  products: number
  shoppers: number
}

const DAYS = 60
const DAY_MS = 86_400_000
const BATCH_EVENTS = 1_000

/**
 * Stores what shoppers did in 60 days, as recording leaves it, and a catalog: products p-1 to p-N by a power law, 1,000 categories and 2,000
 * brands, seven of ten events a view and one a purchase.
 */
export async function storeShopLog(db: Database, { events, products, shoppers }: ShopLog): Promise<void> {
  const days = Array.from({ length: DAYS + 1 }, (_, n) => Date.now() - n * DAY_MS)
  await makePartitions(db, days.map(monthOf))
  await withoutTimeout(db, async (unlimited) => {
    await sql`
      insert into catalog.product (product_id, name, category, brand, quantity, status, updated_at, call_id)
      select 'p-' || n, 'Product ' || n, 'category ' || n % 1000, 'brand ' || n % 2000, n % 23, 'active', now(), gen_random_uuid()
      from generate_series(1, ${products}::int) n`.execute(unlimited)
    await sql`
      insert into interaction_batch (occurred_from, occurred_to, events, invocation_id, body_sha256, kind, scored_at, fed_at, recent_at, tombstone_no)
      select now() - interval '60 days', now(), ${BATCH_EVENTS}, 'bench ' || n, ''::bytea, 'interaction', now(), now(), now(), 0
      from generate_series(1, ${Math.ceil(events / BATCH_EVENTS)}::int) n`.execute(unlimited)
    await sql`
      insert into interaction (occurred_at, batch_id, event_id, is_category, event_type, ref_id, account_id, session_id)
      select date_trunc('milliseconds', now() - (${events}::int - n) * interval '60 days' / ${events}::int), 1 + n / ${BATCH_EVENTS + 1}::int,
        gen_random_uuid(), false,
        (array['view', 'view', 'view', 'view', 'view', 'view', 'view', 'add_to_cart', 'add_to_favorites', 'purchase'])[1 + floor(random() * 10)],
        'p-' || 1 + floor(${products}::int * random() ^ 3), 'a' || floor(${shoppers}::int * random() ^ 2),
        's' || n / 7
      from generate_series(1, ${events}::int) n`.execute(unlimited)
    await sql`vacuum (analyze)`.execute(unlimited)
  })
}

/** Makes a version of similar products, and puts it in force. */
export async function storeVersion(db: Database): Promise<number> {
  const runId = randomUUID()
  await requestSimilarityRun(db, runId, { kind: 'requested', actor: 'bench' })
  await beginSimilarityRun(db, runId)
  const version = (await makeVersion(db, runId, VERSION_DEFAULTS, (settings) => startSimilarityJob(settings, 1)))!
  await completeSimilarityRun(db, runId, version)
  await sql`vacuum (analyze) similarity_row, similarity_product`.execute(db)
  return version
}
