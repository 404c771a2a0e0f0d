import type { Page } from '../client/job.ts'
import { type LoadProcess, startLoad } from '../client/start-load.ts'
import { LARGE_SHOP, type LargeShop, largeShop, SMALL_SHOP } from '../items/large-shop.ts'
import { type Claim, formatted, type RowResult } from '../measure/claim.ts'
import { cpuSecondsBetween, cpuSecondsOf } from '../measure/process-cpu.ts'
import { NO_RESTATE, type ReadRun, readRun, TOP_PATH } from '../measure/read-run.ts'
import { interleaved, median, series } from '../measure/rounds.ts'
import { type BenchGateway, startBenchGateway } from '../servers/bench-gateway.ts'
import { withParts } from '../servers/bench-stack.ts'

const FULL = { shop: LARGE_SHOP, seconds: 2, rounds: 3 }
const QUICK = { shop: SMALL_SHOP, seconds: 0.3, rounds: 1 }
const CONNECTIONS = 8
const P99_MS_MAX = 50
/** So many that few concurrent requests are equal. */
const PAGES = 2_000

const EXPLAIN = 'popularity/{id}/explain'
/** What is asked for, by how it is called. */
const QUESTIONS = {
  explain: EXPLAIN,
  hours: 'products/series of 20 products and 168 hours',
  products: 'products/series of 100 products and 24 hours',
  days: 'products/series of a product and 30 days, with 3 event types',
} as const
type Question = keyof typeof QUESTIONS
const ENCODINGS = ['plain', 'gzip', 'br'] as const
type Encoding = (typeof ENCODINGS)[number]

/** Where scores come from and series of a large shop, and what compressing answers costs. */
export function insight(isQuick: boolean): Promise<RowResult> {
  const { shop, seconds, rounds } = isQuick ? QUICK : FULL
  const { products } = shop
  return withParts(async (stopAtEnd) => {
    const { databaseUrl } = await largeShop(shop)
    const gateway = stopAtEnd(await startBenchGateway({ databaseUrl, restate: NO_RESTATE }))
    const load = stopAtEnd(startLoad())
    const way = (pages: Page[]) => () => costedRun(load, gateway, pages, seconds)
    const asked = await interleaved(
      {
        explain: way(pagesOf('explain', products)),
        hours: way(pagesOf('hours', products)),
        products: way(pagesOf('products', products)),
        days: way(pagesOf('days', products)),
      },
      rounds,
    )
    const encoded = (pages: Page[]) =>
      interleaved(
        {
          plain: way(pages),
          gzip: way(pages.map((page) => ({ ...page, headers: { 'accept-encoding': 'gzip' } }))),
          br: way(pages.map((page) => ({ ...page, headers: { 'accept-encoding': 'br' } }))),
        },
        rounds,
      )
    const top = await encoded([{ path: `${TOP_PATH}?limit=100` }])
    const explained = await encoded(pagesOf('explain', products))
    const claims = [
      ...(Object.keys(QUESTIONS) as Question[]).map((question) => speedClaim(question, asked[question], shop)),
      ...costClaims('the top list of 100 products, kept for a second', top),
      ...costClaims(`${EXPLAIN}, no two answers alike`, explained),
    ]
    return { claims, measured: { asked, top, explained } }
  })
}

/** Products as shoppers visit them, by Zipf(1), as the shop has them. */
function visited(products: number): string {
  const rank = Math.floor(products ** Math.random())
  return `p-${1 + ((rank * 7_919) % products)}`
}

function pagesOf(question: Question, products: number): Page[] {
  const ids = (count: number) => Array.from({ length: count }, () => `product_ids=${visited(products)}`).join('&')
  const types = ['view', 'add_to_cart', 'purchase'].map((type) => `event_types=${type}`).join('&')
  const path: Record<Question, () => string> = {
    explain: () => `/api/v1/analytic/popularity/${visited(products)}/explain`,
    hours: () => `/api/v1/products/series?${ids(20)}&hours=168`,
    products: () => `/api/v1/products/series?${ids(100)}&hours=24`,
    days: () => `/api/v1/products/series?${ids(1)}&hours=720&${types}`,
  }
  return Array.from({ length: PAGES }, () => ({ path: path[question]() }))
}

interface CostedRun extends ReadRun {
  /** CPU of the gateway per answer. */
  cpuMs: number
}

async function costedRun(load: LoadProcess, gateway: BenchGateway, pages: Page[], secondsMax: number): Promise<CostedRun> {
  const before = await cpuSecondsOf([gateway.pid])
  const startMs = performance.now()
  const run = await readRun(load, gateway.url, { pages, secondsMax, connections: CONNECTIONS })
  const seconds = (performance.now() - startMs) / 1_000
  const cpuSeconds = cpuSecondsBetween(before, await cpuSecondsOf([gateway.pid]))
  return { ...run, cpuMs: (cpuSeconds * 1_000) / (run.perSecond * seconds) }
}

const latencyOf = (runs: readonly ReadRun[], part: 'p50' | 'p99') => median(series(runs, (run) => run.latency[part]))
const rateOf = (runs: readonly ReadRun[]) => median(series(runs, (run) => run.perSecond))

function speedClaim(question: Question, runs: readonly CostedRun[], { products, events, days }: LargeShop): Claim {
  return {
    what: `${QUESTIONS[question]}, of ${formatted(products)} products and ${formatted(events)} events in ${days} days, ${CONNECTIONS} connections: p99`,
    measured: latencyOf(runs, 'p99'),
    unit: 'ms',
    target: { max: P99_MS_MAX },
    detail: `p50 ${formatted(latencyOf(runs, 'p50'))} ms; ${formatted(rateOf(runs))} answers/s; products as they are visited`,
  }
}

/** What an answer costs the gateway in each encoding. */
function costClaims(what: string, runs: Record<Encoding, readonly CostedRun[]>): Claim[] {
  const cpuOf = (encoding: Encoding) => median(series(runs[encoding], (run) => run.cpuMs))
  return (['gzip', 'br'] as const).map((encoding) => ({
    what: `${what}: CPU of the gateway per answer with ${encoding} ÷ uncompressed`,
    measured: cpuOf(encoding) / cpuOf('plain'),
    detail: `${formatted(cpuOf(encoding))} ms against ${formatted(cpuOf('plain'))} ms; p50 ${formatted(latencyOf(runs[encoding], 'p50'))} ms against ${formatted(latencyOf(runs.plain, 'p50'))} ms; ${formatted(rateOf(runs[encoding]))} answers/s against ${formatted(rateOf(runs.plain))}`,
  }))
}
