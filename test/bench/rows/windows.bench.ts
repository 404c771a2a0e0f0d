import { sql } from 'kysely'
import { MODES } from '../../../src/contract/popular-list.ts'
import type { Database } from '../../../src/store/database/connection.ts'
import { refreshRising } from '../../../src/store/popularity/rising.ts'
import { createDatabase } from '../../harness/servers/database.ts'
import { startBenchGateway } from '../servers/bench-gateway.ts'
import { startBenchPostgres } from '../servers/bench-postgres.ts'
import { withParts } from '../servers/bench-stack.ts'
import { type Claim, claimsOfRounds, formatted, type RowResult } from '../measure/claim.ts'
import type { Page } from '../client/job.ts'
import { createCodedHours } from '../rivals/coded-layout.ts'
import { startLoad } from '../client/start-load.ts'
import { NO_RESTATE, POPULAR_PATH, type ReadRun, readRun, STATIC_ITEMS } from '../measure/read-run.ts'
import { interleaved, series, median } from '../measure/rounds.ts'
import { type Shop, storeShop } from '../items/shop.ts'
import { withoutTimeout } from '../servers/without-timeout.ts'

const FULL = { shop: { products: 100_000, events: 10_000_000, days: 90, categories: 50 }, seconds: 5, rounds: 5 }
const QUICK = { shop: { products: 2_000, events: 30_000, days: 90, categories: 50 }, seconds: 0.2, rounds: 1 }
const CONNECTIONS = 4
const P99_MS_MAX = 150
const WHOLE_P99_MS_MAX = 400

/** Lists that add up hours, without a cache. */
export function windows(isQuick: boolean): Promise<RowResult> {
  const { shop, seconds, rounds } = isQuick ? QUICK : FULL
  return withParts(async (stopAtEnd) => {
    const postgres = stopAtEnd(await startBenchPostgres())
    const { db, url: databaseUrl } = await createDatabase(postgres.url)
    stopAtEnd({ stop: () => db.destroy() })
    await storeShop(db, shop)
    await refreshRising(db, Date.now())
    const settings = { POPULAR_CACHE_MS: '0' }
    const gateway = stopAtEnd(await startBenchGateway({ databaseUrl, restate: NO_RESTATE, settings }))
    const load = stopAtEnd(startLoad())
    const way = (days: number, isOfCategory: boolean) => () =>
      readRun(load, gateway.url, {
        pages: pagesOf(days, isOfCategory ? shop.categories : 0),
        secondsMax: seconds,
        connections: CONNECTIONS,
      })
    const runs = await interleaved(
      { week: way(7, true), day: way(1, true), month: way(30, true), quarter: way(90, true), wholeWeek: way(7, false) },
      rounds,
    )
    const hours = await withoutTimeout(db, measureHours)
    return {
      claims: [...claimsOfRounds(runs, (rounds) => claimsOf(rounds, shop, hours.cells)), bytesClaim(hours, shop)],
      measured: { runs, hours },
    }
  })
}

interface Hours {
  cells: number
  /** The bytes of product_hour with its indexes, in the layout of sql/ and with event types as numbers. */
  bytes: number
  codedBytes: number
}

async function measureHours(db: Database): Promise<Hours> {
  await createCodedHours(db, 'coded_hour')
  await sql`
    insert into coded_hour (product_id, hour, event_type, events, decayed)
    select product_id, hour, dense_rank() over (order by event_type), events, decayed from product_hour order by hour, product_id, 3`.execute(
    db,
  )
  const { rows } = await sql<Hours>`
    select (select count(*) from product_hour)::int as cells, pg_total_relation_size('product_hour')::float8 as bytes,
      pg_total_relation_size('coded_hour')::float8 as "codedBytes"`.execute(db)
  return rows[0]!
}

function bytesClaim({ cells, bytes, codedBytes }: Hours, { events }: Shop): Claim {
  return {
    what: '— product_hour with its indexes, bytes per event',
    measured: bytes / events,
    unit: 'bytes',
    detail: `${formatted(codedBytes / events)} with event types as numbers; ${formatted(bytes / cells)} and ${formatted(codedBytes / cells)} per row`,
  }
}

/** One page per mode and category. */
function pagesOf(days: number, categories: number): Page[] {
  const ofCategory = categories === 0 ? [''] : Array.from({ length: categories }, (_, number) => `&category_ids=c-${number}`)
  return Object.keys(MODES).flatMap((mode) =>
    ofCategory.map((category) => ({
      path: `${POPULAR_PATH}?mode=${mode}&time_window_days=${days}${category}&limit=${STATIC_ITEMS}`,
    })),
  )
}

type Way = 'week' | 'day' | 'month' | 'quarter' | 'wholeWeek'

function claimsOf(runs: Record<Way, ReadRun[]>, { products, events, days, categories }: Shop, cells: number): Claim[] {
  const latency = (way: Way, part: 'p50' | 'p99') => formatted(median(series(runs[way], (run) => run.latency[part])))
  const both = (way: Way) => `${latency(way, 'p50')} and ${latency(way, 'p99')}`
  return [
    {
      what: `products/popular, 7 days and one of ${categories} categories, any mode, ${formatted(products)} products, ${formatted(events)} events in ${days} days, no cache, ${CONNECTIONS} connections: p99`,
      measured: median(series(runs.week, (run) => run.latency.p99)),
      unit: 'ms',
      target: { max: P99_MS_MAX },
      detail: `p50 ${latency('week', 'p50')} ms; p50 and p99 of 1 day ${both('day')}, of 30 days ${both('month')}, of 90 days ${both('quarter')} ms; ${formatted(cells)} rows of hours`,
    },
    {
      what: '— all categories: p99',
      measured: median(series(runs.wholeWeek, (run) => run.latency.p99)),
      unit: 'ms',
      target: { max: WHOLE_P99_MS_MAX },
      detail: `p50 ${latency('wholeWeek', 'p50')} ms`,
    },
  ]
}
