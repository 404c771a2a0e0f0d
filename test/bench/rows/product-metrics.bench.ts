import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import type { ProductVersion } from '../../../src/admission/product.ts'
import { upsertProducts } from '../../../src/store/catalog/catalog-product.ts'
import type { Database } from '../../../src/store/database/connection.ts'
import { callOf } from '../../../src/store/log/call.ts'
import { foldDeltas } from '../../../src/store/metrics/fold.ts'
import { rebuildMetrics } from '../../../src/store/metrics/rebuild.ts'
import { createDatabase } from '../../harness/servers/database.ts'
import { formatted, type RowResult } from '../measure/claim.ts'
import { cpuSecondsBetween, cpuSecondsOf } from '../measure/process-cpu.ts'
import { interleaved, median, ratioOf, series } from '../measure/rounds.ts'
import { startBenchPostgres } from '../servers/bench-postgres.ts'
import { withParts } from '../servers/bench-stack.ts'
import { withoutTimeout } from '../servers/without-timeout.ts'

const FULL = { products: 1_000_000, changes: 20_000, rounds: 5 }
const QUICK = { products: 20_000, changes: 2_000, rounds: 1 }
const BATCH = 1_000
const SELLERS = 5_000
const CATEGORIES = 300

/** What metrics cost per change of a large catalog, how long deltas wait for a fold, and a rebuild of all. */
export function productMetrics(isQuick: boolean): Promise<RowResult> {
  const { products, changes, rounds } = isQuick ? QUICK : FULL
  return withParts(async (stopAtEnd) => {
    const postgres = stopAtEnd(await startBenchPostgres())
    const { db } = await createDatabase(postgres.url)
    stopAtEnd({ stop: () => db.destroy() })
    await fill(db, products)
    let version = 0
    const run = (isOn: boolean) => async () => {
      await useTriggers(db, isOn)
      const before = await cpuSecondsOf([postgres.pid])
      const startMs = performance.now()
      for (let done = 0; done < changes; done += BATCH) {
        const rows = changesOf(products, ++version)
        await upsertProducts(db, callOf(randomUUID(), Buffer.from('')), rows)
      }
      const writtenMs = performance.now()
      const cpu = cpuSecondsBetween(before, await cpuSecondsOf([postgres.pid]))
      while ((await foldDeltas(db)) > 0);
      const [ms, foldMs] = [writtenMs - startMs, performance.now() - writtenMs]
      return { msPerThousand: (ms * 1_000) / changes, cpuPerThousand: (cpu * 1e6) / changes, foldMs }
    }
    const runs = await interleaved({ plain: run(false), metrics: run(true) }, rounds)
    const rebuildMs = await timed(async () => {
      await sql`delete from product_metric_delta`.execute(db)
      await sql`delete from product_metric`.execute(db)
      await rebuildMetrics(db, 'bench')
      while ((await foldDeltas(db)) > 0);
    })
    const { cells } = await rebuildMetrics(db, 'bench', { isDry: true })
    if (cells > 0) throw new Error(`${cells} cells differ after a rebuild`)
    const times = (way: keyof typeof runs) => series(runs[way], ({ msPerThousand }) => msPerThousand)
    const cpus = (way: keyof typeof runs) => formatted(median(series(runs[way], ({ cpuPerThousand }) => cpuPerThousand)))
    const claims = [
      {
        what: `1,000 changes of ${formatted(products)} products with metrics ÷ without`,
        measured: ratioOf(times('metrics'), times('plain')),
        target: { max: 3 },
        detail: `${formatted(median(times('metrics')))} ms against ${formatted(median(times('plain')))} ms; CPU of PostgreSQL ${cpus('metrics')} ms against ${cpus('plain')} ms`,
      },
      {
        what: `fold of the deltas of ${formatted(changes)} changes`,
        measured: median(series(runs.metrics, ({ foldMs }) => foldMs)),
        unit: 'ms',
        detail: 'a change waits for it up to a second longer, and is in every answer before',
      },
      {
        what: `rebuild of all metrics of ${formatted(products)} products`,
        measured: rebuildMs / 1_000,
        unit: 's',
        target: { max: 10 },
        detail: `${formatted(SELLERS)} sellers and ${CATEGORIES} categories, all of which were missing; with the fold`,
      },
    ]
    return { claims, measured: { runs, rebuildMs } }
  })
}

async function timed(work: () => Promise<void>): Promise<number> {
  const startMs = performance.now()
  await work()
  return performance.now() - startMs
}

async function fill(db: Database, products: number): Promise<void> {
  await withoutTimeout(db, async (unlimited) => {
    await sql`
      insert into catalog.product (product_id, name, seller_id, category, price, currency, quantity, status, updated_at, call_id)
      select 'p-' || n, 'Product ' || n, 's-' || n % ${SELLERS}::int, 'c-' || n % ${CATEGORIES}::int, n % 10000, 'EUR', n % 500,
        case when n % 50 = 0 then 'deleted' else 'active' end, '2026-01-01', gen_random_uuid()
      from generate_series(1, ${products}::int) n`.execute(unlimited)
    await sql`vacuum (analyze) catalog.product`.execute(unlimited)
  })
  while ((await foldDeltas(db)) > 0);
}

/** Without the index that low stock reads too, which is part of the price. */
async function useTriggers(db: Database, isOn: boolean): Promise<void> {
  const state = sql.raw(isOn ? 'enable' : 'disable')
  for (const name of ['insert', 'update'])
    await sql`alter table catalog.product ${state} trigger ${sql.id(`product_metrics_${name}`)}`.execute(db)
  if (isOn)
    await sql`create index if not exists product_low_stock on catalog.product (quantity, product_id) where status = 'active' and quantity < 10`.execute(
      db,
    )
  else await sql`drop index if exists catalog.product_low_stock`.execute(db)
}

/** A batch of products spread over the catalog, each with another price, quantity, and now and then another seller. */
function changesOf(products: number, version: number): ProductVersion[] {
  const ids = new Set(Array.from({ length: BATCH }, (_, index) => 1 + ((version * 7_919 + index * 104_729) % products)))
  return [...ids].map((id, index) => ({
    index,
    productId: `p-${id}`,
    sellerId: `s-${(id + (index % 20 === 0 ? version : 0)) % SELLERS}`,
    name: `Product ${id}`,
    category: `c-${id % CATEGORIES}`,
    brand: null,
    price: (id + version) % 10_000,
    currency: 'EUR',
    quantity: (id * 31 + version) % 500,
    status: 'active',
    updatedAtMs: Date.parse('2026-02-01T00:00:00Z') + version * 1_000,
  }))
}
