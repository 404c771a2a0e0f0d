import { setTimeout as sleep } from 'node:timers/promises'
import { createDatabase } from '../../harness/servers/database.ts'
import type { Page } from '../client/job.ts'
import { entrancesOf } from '../ingest/ingest-run.ts'
import { storeShop } from '../items/shop.ts'
import { type Claim, claimsOfRounds, formatted, type RowResult } from '../measure/claim.ts'
import { cpuSecondsBetween, cpuSecondsOf } from '../measure/process-cpu.ts'
import { readRunOf } from '../measure/read-run.ts'
import { interleaved, median, ratioOf, series } from '../measure/rounds.ts'
import { isSettled, waitUntil } from '../measure/settled.ts'
import { type BenchGateway, startBenchGateway } from '../servers/bench-gateway.ts'
import { type BenchServers, withServers } from '../servers/bench-stack.ts'

const FULL = { products: 50_000, events: 1_000_000, seconds: 12, viewSeconds: 4, rounds: 5 }
const QUICK = { products: 2_000, events: 20_000, seconds: 3, viewSeconds: 1, rounds: 1 }
/** Single events, with pauses that leave a part of the machine free, because a saturated one shows its queues alone. */
const SENDERS = 64
const PAUSE_MS = 80
const OPEN_PAGES = 50
const POLL_MS = 2_000
const TIMES_MAX = 1.15

/** What a browser sends when a page asks again. */
const HEADERS = { 'hx-request': 'true', 'accept-encoding': 'br', accept: 'text/html', 'sec-fetch-site': 'same-origin' }
/** The view of a popular product, as the shop is stored. */
const productOf = (products: number) => `/product/p-${1 + (7919 % products)}`
/** The views that browsers ask for again by themselves, so many of each: four lists of Hot now, and Operations. */
const HOT = ['/', '/?mode=most_viewed', '/?mode=rising&time_window_days=7', '/?mode=most_ordered&time_window_days=1']
const WATCHED = [...HOT, ...HOT, ...HOT, '/operations']

/** The views whose costs are stated, each with what its costs depend on. */
const VIEWS: Record<string, string> = {
  'Hot now': '/',
  Products: '/products',
  Categories: '/categories',
  Searches: '/searches',
  Sellers: '/sellers',
  Reports: '/reports',
  Quality: '/quality',
  Stock: '/stock',
  Recommendations: '/recommendations',
  Operations: '/operations',
  Keys: '/keys',
}

/** Single events next to pages that people look at, and what a view costs the servers. */
export function pages(isQuick: boolean): Promise<RowResult> {
  const size = isQuick ? QUICK : FULL
  return withServers(async (servers, stopAtEnd) => {
    const { db, url: databaseUrl, drop } = await createDatabase(servers.postgres.url)
    stopAtEnd({ stop: drop })
    await storeShop(db, { ...size, days: 90, categories: 50 })
    const gateway = stopAtEnd(await startBenchGateway({ databaseUrl, restate: servers.restate }))
    await servers.endpoint.use(databaseUrl)
    try {
      const where = { servers, gateway, product: productOf(size.products) }
      const way = (openPages: number) => async (isWarmUp: boolean) => {
        const run = await singlesNextTo({ ...where, openPages, seconds: isWarmUp ? 2 : size.seconds })
        await waitUntil(() => isSettled(db))
        return run
      }
      const runs = await interleaved({ alone: way(0), withPages: way(OPEN_PAGES) }, size.rounds)
      const views = await viewCosts({ ...where, seconds: size.viewSeconds })
      return { claims: [...claimsOfRounds(runs, singlesClaims), viewsClaim(views)], measured: { runs, views } }
    } finally {
      await servers.endpoint.use(null)
    }
  })
}

interface Where {
  servers: BenchServers
  gateway: BenchGateway
  product: string
  seconds: number
}

interface Run {
  p50: number
  p99: number
  perSecond: number
  /** Answers for open pages. */
  updates: number
  updateP99: number
}

async function singlesNextTo({ servers, gateway, openPages, seconds }: Where & { openPages: number }): Promise<Run> {
  const { restate, load } = servers
  const { url } = entrancesOf({ gateway, restate }).gateway
  const singles = { connections: SENDERS, pauseMs: PAUSE_MS, isStaggered: true, secondsMax: seconds, requestEvents: 1 }
  const sending = await load.prepare({ kind: 'ingest', url, ...singles })
  const updating = await load.prepare({
    ...{ kind: 'read', url: gateway.url, connections: openPages, pauseMs: POLL_MS, isStaggered: true },
    secondsMax: seconds + POLL_MS / 1_000,
    pages: WATCHED.map(pageOf),
  })
  const updates = updating()
  // All pages are open by then.
  await sleep(openPages === 0 ? 0 : POLL_MS)
  const [sent, updated] = await Promise.all([sending(), updates])
  const { p50, p99 } = sent.latency
  return { p50, p99, perSecond: sent.events / sent.seconds, updates: updated.requests, updateP99: updated.latency.p99 }
}

function pageOf(path: string): Page {
  return { path, headers: HEADERS }
}

/** Milliseconds of the servers' CPU for each answer of a view, one connection at a time, and p50 of its answers. */
async function viewCosts({ servers, gateway, product, seconds }: Where): Promise<Record<string, { cpuMs: number; p50: number }>> {
  const costs: Record<string, { cpuMs: number; p50: number }> = {}
  const pids = [gateway.pid, servers.postgres.pid]
  for (const [view, path] of Object.entries({ ...VIEWS, Product: product })) {
    const job = { kind: 'read' as const, url: gateway.url, connections: 1, pages: [pageOf(path)] }
    await (
      await servers.load.prepare({ ...job, secondsMax: 0.5 })
    )()
    const go = await servers.load.prepare({ ...job, secondsMax: seconds })
    const before = await cpuSecondsOf(pids)
    const result = await go()
    const cpuSeconds = cpuSecondsBetween(before, await cpuSecondsOf(pids))
    costs[view] = { cpuMs: (cpuSeconds * 1_000) / result.requests, p50: readRunOf(result).latency.p50 }
  }
  return costs
}

function singlesClaims({ alone, withPages }: Record<'alone' | 'withPages', readonly Run[]>): Claim[] {
  const p99 = (runs: readonly Run[]) => series(runs, (run) => run.p99)
  const rate = (runs: readonly Run[]) => formatted(Math.round(median(series(runs, (run) => run.perSecond))))
  const updates = median(series(withPages, (run) => run.updates))
  return [
    {
      what: `p99 of single events next to ${OPEN_PAGES} open pages that ask every 2 s ÷ without`,
      measured: ratioOf(p99(withPages), p99(alone)),
      target: { max: TIMES_MAX },
      detail: `${formatted(median(p99(withPages)))} against ${formatted(median(p99(alone)))} ms at ${rate(withPages)} and ${rate(alone)} events/s; ${formatted(updates)} updates, p99 ${formatted(median(series(withPages, (run) => run.updateP99)))} ms`,
    },
  ]
}

function viewsClaim(costs: Record<string, { cpuMs: number; p50: number }>): Claim {
  const all = Object.entries(costs)
  const listed = all.map(([view, { cpuMs, p50 }]) => `${view} ${formatted(cpuMs)} (${formatted(p50)})`)
  return {
    what: '— CPU of gateway and PostgreSQL for an update of a view: the most expensive',
    measured: Math.max(...all.map(([, { cpuMs }]) => cpuMs)),
    unit: 'ms',
    detail: `${listed.join(', ')}; in brackets its p50`,
  }
}
