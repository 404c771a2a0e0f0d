import { createDatabase } from '../../harness/servers/database.ts'
import { NO_REDIS, startTestRedis } from '../../harness/servers/redis.ts'
import type { Latency } from '../client/job.ts'
import { entrancesOf, type IngestRun, ingestRun } from '../ingest/ingest-run.ts'
import { traffic } from '../items/events.ts'
import { type Claim, claimsOfRounds, formatted, type RowResult } from '../measure/claim.ts'
import { readRunOf } from '../measure/read-run.ts'
import { interleaved, median, ratioOf, series } from '../measure/rounds.ts'
import { isSettled, waitUntil } from '../measure/settled.ts'
import { startBenchGateway } from '../servers/bench-gateway.ts'
import { type BenchStack, withServers, withStack } from '../servers/bench-stack.ts'

const FULL = { seconds: 6, rounds: 5, readSeconds: 15 }
const QUICK = { seconds: 1, rounds: 1, readSeconds: 2 }
const WARM_UP_SECONDS = 1
const REQUESTS_PER_SECOND_MAX = 16_000
const CONNECTIONS = 256
/** The load next to which contexts are read, of what POST /event bore. */
const LOAD_SHARE = 0.6
const READERS = 8
const READ_PAUSE_MS = 20
const SHOPPERS = 1_000
/** p99 of a context ÷ p99 of /health, next to the same load. */
const TIMES_MAX = { process: 3, redis: 5 }

/** Single events that are shown at once, and reads of contexts next to them. */
export async function track(isQuick: boolean): Promise<RowResult> {
  const size = isQuick ? QUICK : FULL
  const runs = await withStack((stack) => tracked(stack, size))
  const perSecond = median(series(runs.track, (run) => run.perSecond)) * LOAD_SHARE
  const p50 = median(series(runs.track, (run) => run.latency.p50))
  const pauseMs = Math.max(0, (CONNECTIONS / perSecond) * 1_000 - p50)
  const stores = NO_REDIS === undefined ? (['process', 'redis'] as const) : (['process'] as const)
  const reads: Partial<Record<keyof typeof TIMES_MAX, Reads>> = {}
  for (const store of stores) reads[store] = await readNext(store, { seconds: size.readSeconds, pauseMs })
  const readClaims = stores.map((store) => readClaim(store, reads[store]!))
  return { claims: [...claimsOfRounds(runs, trackClaims), ...readClaims], measured: { runs, reads } }
}

function tracked(stack: BenchStack, { seconds, rounds }: typeof FULL): Promise<Record<'track' | 'list', IngestRun[]>> {
  const entrances = entrancesOf(stack)
  const way = (entrance: 'track' | 'gateway') => (isWarmUp: boolean) => {
    const secondsMax = isWarmUp ? WARM_UP_SECONDS : seconds
    const requestsMax = Math.ceil(secondsMax * REQUESTS_PER_SECOND_MAX)
    return ingestRun(stack, { ...entrances[entrance], connections: CONNECTIONS, secondsMax, requestEvents: 1, requestsMax })
  }
  return interleaved({ track: way('track'), list: way('gateway') }, rounds)
}

interface Reads {
  context: Latency
  health: Latency
  /** Events per second meanwhile. */
  perSecond: number
}

function readNext(store: keyof typeof TIMES_MAX, { seconds, pauseMs }: { seconds: number; pauseMs: number }): Promise<Reads> {
  return withServers(async (servers, stopAtEnd) => {
    const { postgres, restate, endpoint, load } = servers
    const { db, url: databaseUrl, drop } = await createDatabase(postgres.url)
    stopAtEnd({ stop: drop })
    const settings = store === 'redis' ? { SHOPPER_STORE: stopAtEnd(await startTestRedis()).url } : {}
    const gateway = stopAtEnd(await startBenchGateway({ databaseUrl, restate, settings }))
    await endpoint.use(databaseUrl)
    try {
      const common = { connections: READERS, secondsMax: seconds, pauseMs: READ_PAUSE_MS }
      const events = { connections: CONNECTIONS, secondsMax: seconds, pauseMs, requestEvents: 1 }
      const goes = await Promise.all([
        load.prepare({ kind: 'ingest', ...entrancesOf({ gateway, restate: servers.restate }).track, ...events }),
        load.prepare({ kind: 'read', url: gateway.url, ...common, pages: contextPages() }),
        load.prepare({ kind: 'read', url: gateway.url, ...common, pages: [{ path: '/health' }] }),
      ])
      const [ingest, context, health] = await Promise.all(goes.map((go) => go()))
      await waitUntil(() => isSettled(db))
      return {
        context: readRunOf(context!).latency,
        health: readRunOf(health!).latency,
        perSecond: ingest!.events / ingest!.seconds,
      }
    } finally {
      await endpoint.use(null)
    }
  })
}

/** Shoppers of the traffic: few of them have events at the beginning, and most at the end. */
function contextPages() {
  const next = traffic()
  return Array.from({ length: SHOPPERS }, () => ({ path: `/api/v1/shoppers/account:${next(0).account_id}/context` }))
}

function trackClaims(runs: Record<'track' | 'list', IngestRun[]>): Claim[] {
  const rates = (way: keyof typeof runs) => series(runs[way], (run) => run.perSecond)
  const latency = (part: 'p50' | 'p99') => median(series(runs.track, (run) => run.latency[part]))
  return [
    {
      what: `POST /event ÷ interactions of one event, ${CONNECTIONS} connections`,
      measured: ratioOf(rates('track'), rates('list')),
      target: { min: 0.85 },
      detail: `${formatted(Math.round(median(rates('track'))))} against ${formatted(Math.round(median(rates('list'))))} events/s, until all are recorded, counted and fed`,
    },
    { what: '— p99 of POST /event', measured: latency('p99'), unit: 'ms', detail: `p50 ${formatted(latency('p50'))} ms` },
  ]
}

function readClaim(store: keyof typeof TIMES_MAX, { context, health, perSecond }: Reads): Claim {
  return {
    what: `contexts next to ${LOAD_SHARE * 100} % of that load, live events in ${store === 'redis' ? 'Redis' : 'the process'}: p99 ÷ that of \`/health\``,
    measured: context.p99 / health.p99,
    target: { max: TIMES_MAX[store] },
    detail: `${formatted(context.p99)} against ${formatted(health.p99)} ms; p50 ${formatted(context.p50)} against ${formatted(health.p50)} ms, next to ${formatted(Math.round(perSecond))} events/s`,
  }
}
