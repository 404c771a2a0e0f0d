import { sql } from 'kysely'
import { verify } from '../../../src/store/proof/verification.ts'
import { createDatabase } from '../../harness/servers/database.ts'
import { startBenchGateway } from '../servers/bench-gateway.ts'
import { type BenchServers, withServers } from '../servers/bench-stack.ts'
import { claimsOfRounds, formatted, type RowResult } from '../measure/claim.ts'
import type { Latency } from '../client/job.ts'
import { isSettled, waitUntil } from '../measure/settled.ts'
import { interleaved, ratioOf, series, median } from '../measure/rounds.ts'
import { withoutTimeout } from '../servers/without-timeout.ts'
import { paymentSecretFile } from '../servers/payment-secret.ts'

const FULL = { seconds: 6, rounds: 5 }
const QUICK = { seconds: 1, rounds: 1 }
const WARM_UP_SECONDS = 2
const CONNECTIONS = 64
const PER_SECOND_MAX = 6_000
const SECRET = 'the secret of the bench'
const ITEMS = 3

interface Run {
  /** Calls per second. The time of payments ends when their sales are counted and fed. */
  perSecond: number
  latency: Latency
}

/** The cost of a payment callback compared with a durable call that does nothing. */
export function payments(isQuick: boolean): Promise<RowResult> {
  const { seconds, rounds } = isQuick ? QUICK : FULL
  return withServers(async (servers, stopAtEnd) => {
    await servers.restate.serve('nothing', 1)
    const { url: databaseUrl, drop } = await createDatabase(servers.postgres.url)
    stopAtEnd({ stop: drop })
    const settings = { PAYMENT_SECRET_FILE: paymentSecretFile(SECRET, stopAtEnd) }
    const gateway = stopAtEnd(await startBenchGateway({ databaseUrl, restate: servers.restate, settings }))
    const nothing = `${servers.restate.ingressUrl}/Nothing/Do`
    const entrances = {
      gateway: { url: `${gateway.url}/api/v1/orders/payment/callback`, secret: SECRET },
      ingress: { url: `${servers.restate.ingressUrl}/Analytic/RecordPayment` },
    }
    const way = (entrance: { url: string; secret?: string }) => (isWarmUp: boolean) =>
      paymentRun(servers, entrance, isWarmUp ? WARM_UP_SECONDS : seconds)
    const runs = await interleaved(
      {
        nothing: (isWarmUp) => nothingRun(servers, nothing, isWarmUp ? WARM_UP_SECONDS : seconds),
        gateway: way(entrances.gateway),
        ingress: way(entrances.ingress),
      },
      rounds,
    )
    return { claims: claimsOfRounds(runs, claimsOf), measured: runs }
  })
}

async function nothingRun({ load }: BenchServers, url: string, secondsMax: number): Promise<Run> {
  const go = await load.prepare({ kind: 'call', of: 'nothing', url, connections: CONNECTIONS, secondsMax, requestsMax: 1 })
  const { requests, seconds, latency } = await go()
  return { perSecond: requests / seconds, latency }
}

/** Sends callbacks into a fresh database. @throws unless each was booked once. */
async function paymentRun(
  { postgres, endpoint, load }: BenchServers,
  entrance: { url: string; secret?: string },
  secondsMax: number,
): Promise<Run> {
  const { db, url, drop } = await createDatabase(postgres.url)
  try {
    await endpoint.use(url)
    await withoutTimeout(db, (unlimited) => sql`checkpoint`.execute(unlimited))
    const requestsMax = secondsMax * PER_SECOND_MAX
    const go = await load.prepare({
      kind: 'call',
      of: 'payments',
      ...entrance,
      connections: CONNECTIONS,
      secondsMax,
      requestsMax,
    })
    const startMs = performance.now()
    const { requests, latency } = await go()
    await waitUntil(() => isSettled(db))
    const perSecond = (requests / (performance.now() - startMs)) * 1_000
    const { rows } = await sql<{ lines: number; purchases: number }>`
      select (select count(*) from sale_line)::int as lines,
        (select coalesce(sum(purchase_count), 0) from product_popularity)::int as purchases`.execute(db)
    const { lines, purchases } = rows[0]!
    const { drift } = await verify(db)
    if (lines !== requests * ITEMS || purchases !== requests * ITEMS || drift.length > 0) {
      throw new Error(`of ${requests} callbacks: ${JSON.stringify({ lines, purchases, drift: drift.slice(0, 3) })}`)
    }
    return { perSecond, latency }
  } finally {
    await endpoint.use(null)
    await drop()
  }
}

function claimsOf(runs: Record<'nothing' | 'gateway' | 'ingress', Run[]>) {
  const rates = (way: keyof typeof runs) => series(runs[way], (run) => run.perSecond)
  const rate = (way: keyof typeof runs) => formatted(Math.round(median(rates(way))))
  const latency = (way: keyof typeof runs, part: 'p50' | 'p99') =>
    formatted(median(series(runs[way], (run) => run.latency[part])))
  const latencies = (way: keyof typeof runs) => `p50 ${latency(way, 'p50')} ms, p99 ${latency(way, 'p99')} ms`
  return [
    {
      what: `payment callbacks of ${ITEMS} items, ${CONNECTIONS} connections, counted and fed ÷ a no-op ingress call`,
      measured: ratioOf(rates('gateway'), rates('nothing')),
      target: { min: 0.3 },
      detail: `${rate('gateway')} callbacks/s, ${formatted(Math.round(ITEMS * median(rates('gateway'))))} purchases/s (${latencies('gateway')}) against ${rate('nothing')} calls/s (${latencies('nothing')})`,
    },
    {
      what: '— the same through the ingress, each in a call of its own',
      measured: ratioOf(rates('ingress'), rates('nothing')),
      detail: `${rate('ingress')} callbacks/s (${latencies('ingress')})`,
    },
  ]
}
