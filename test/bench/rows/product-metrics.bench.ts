import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import type { ProductVersion } from '../../../src/admission/product.ts'
import { upsertProducts } from '../../../src/store/catalog/catalog-product.ts'
import type { Database } from '../../../src/store/database/connection.ts'
import { callOf } from '../../../src/store/log/call.ts'
import { recordMetrics } from '../../../src/store/metrics/fold-metrics.ts'
import { postgresHistory } from '../../../src/store/metrics/postgres-history.ts'
import { rebuildMetrics } from '../../../src/store/metrics/rebuild.ts'
import { foldAll } from '../../harness/items/product-metrics.ts'
import { createDatabase } from '../../harness/servers/database.ts'
import { foldDelays } from '../catalog/fold-delay.ts'
import { latencyOf } from '../client/latency.ts'
import { CATEGORIES, changesOf, fillCatalog, SELLERS } from '../items/catalog.ts'
import { type Claim, formatted, type RowResult } from '../measure/claim.ts'
import { type Held, heldDuring } from '../measure/event-loop.ts'
import { cpuSecondsBetween, cpuSecondsOf } from '../measure/process-cpu.ts'
import { interleaved, median, ratioOf, series } from '../measure/rounds.ts'
import { startBenchPostgres } from '../servers/bench-postgres.ts'
import { startBenchRestate } from '../servers/bench-restate.ts'
import { withParts } from '../servers/bench-stack.ts'

const FULL = { products: 1_000_000, changes: 20_000, rounds: 5, seconds: 30 }
const QUICK = { products: 20_000, changes: 2_000, rounds: 1, seconds: 5 }
const BATCH = 1_000
const CHANGES_PER_SECOND = 500
const RATIO_MAX = 3
const REBUILD_SECONDS_MAX = 10
const LOOP_MS_MAX = 20

/** What metrics cost per change of a large catalog, how long a change waits for its fold, a rebuild of all, and how long the event loop is held. */
export function productMetrics(isQuick: boolean): Promise<RowResult> {
  const { products, changes, rounds, seconds } = isQuick ? QUICK : FULL
  return withParts(async (stopAtEnd) => {
    const postgres = stopAtEnd(await startBenchPostgres())
    const { db, url } = await createDatabase(postgres.url)
    stopAtEnd({ stop: () => db.destroy() })
    await fillCatalog(db, products)
    await foldAll(db)
    let version = 0
    const changesNow = (count: number) => changesOf({ products, version: ++version, count })
    const way = (isOn: boolean) => async () => {
      await useTriggers(db, isOn)
      return changeAll(
        db,
        postgres.pid,
        Array.from({ length: changes / BATCH }, () => changesNow(BATCH)),
      )
    }
    const runs = await interleaved({ plain: way(false), metrics: way(true) }, rounds)
    await upsertProducts(db, callOf(randomUUID(), Buffer.from('')), changesNow(BATCH))
    const fold = await measured(async () => {
      await foldAll(db)
      await recordMetrics(db, postgresHistory(db))
    })
    const rebuild = await measured(() => rebuildAll(db))
    await checkMetrics(db)
    const restate = stopAtEnd(await startBenchRestate())
    const stream = { seconds, perSecond: CHANGES_PER_SECOND, changesOf: changesNow }
    const delay = latencyOf(await foldDelays({ db, url, restate }, stream))
    await checkMetrics(db)
    const claims = [
      ...priceClaims(runs, products, changes),
      {
        what: `from a change to its metric row, at ${CHANGES_PER_SECOND} changes per second: p99`,
        measured: delay.p99,
        unit: 'ms',
        detail: `p50 ${formatted(delay.p50)} ms; by the task, every second; answers have the change at once`,
      },
      {
        what: `rebuild of all metrics of ${formatted(products)} products`,
        measured: rebuild.seconds,
        unit: 's',
        target: { max: REBUILD_SECONDS_MAX },
        detail: `${formatted(SELLERS)} sellers and ${CATEGORIES} categories, all of which were missing; with the fold`,
      },
      heldClaim('a fold and the recording of the states of all sellers', fold.held),
      heldClaim('the rebuild', rebuild.held),
    ]
    return { claims, measured: { runs, delay, fold, rebuild } }
  })
}

interface Run {
  msPerThousand: number
  cpuPerThousand: number
  foldMs: number
}

async function changeAll(db: Database, pid: number, batches: readonly ProductVersion[][]): Promise<Run> {
  const before = await cpuSecondsOf([pid])
  const startMs = performance.now()
  for (const rows of batches) await upsertProducts(db, callOf(randomUUID(), Buffer.from('')), rows)
  const writtenMs = performance.now()
  const cpuSeconds = cpuSecondsBetween(before, await cpuSecondsOf([pid]))
  await foldAll(db)
  const thousands = (batches.length * BATCH) / 1_000
  return {
    msPerThousand: (writtenMs - startMs) / thousands,
    cpuPerThousand: (cpuSeconds * 1_000) / thousands,
    foldMs: performance.now() - writtenMs,
  }
}

async function rebuildAll(db: Database): Promise<void> {
  await sql`delete from product_metric_delta`.execute(db)
  await sql`delete from product_metric`.execute(db)
  await rebuildMetrics(db, 'bench')
  await foldAll(db)
}

async function checkMetrics(db: Database): Promise<void> {
  const { cells } = await rebuildMetrics(db, 'bench', { isDry: true })
  if (cells > 0) throw new Error(`${cells} cells differ from the catalog`)
}

async function measured(work: () => Promise<void>): Promise<{ seconds: number; held: Held }> {
  const startMs = performance.now()
  const held = await heldDuring(work)
  return { seconds: (performance.now() - startMs) / 1_000, held }
}

function priceClaims(runs: { plain: Run[]; metrics: Run[] }, products: number, changes: number): Claim[] {
  const times = (some: Run[]) => series(some, ({ msPerThousand }) => msPerThousand)
  const time = (some: Run[]) => formatted(median(times(some)))
  const cpu = (some: Run[]) => formatted(median(series(some, ({ cpuPerThousand }) => cpuPerThousand)))
  const { plain, metrics } = runs
  return [
    {
      what: `1,000 changes of ${formatted(products)} products with metrics ÷ without`,
      measured: ratioOf(times(metrics), times(plain)),
      target: { max: RATIO_MAX },
      detail: `${time(metrics)} ms against ${time(plain)} ms; CPU of PostgreSQL ${cpu(metrics)} ms against ${cpu(plain)} ms`,
    },
    {
      what: `fold of the deltas of ${formatted(changes)} changes`,
      measured: median(series(metrics, ({ foldMs }) => foldMs)),
      unit: 'ms',
      detail: `deltas of ${changes / BATCH} statements`,
    },
  ]
}

function heldClaim(what: string, { p99, max }: Held): Claim {
  const detail = `longest ${formatted(max)} ms; SQL does the work, and no thread is used`
  return { what: `event loop during ${what}: p99 of its delay`, measured: p99, unit: 'ms', target: { max: LOOP_MS_MAX }, detail }
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
