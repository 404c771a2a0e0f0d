import { createDatabase } from '../../harness/servers/database.ts'
import type { Page } from '../client/job.ts'
import { startLoad } from '../client/start-load.ts'
import { sessionOf, storeRecommendable } from '../items/recommendations.ts'
import { PRODUCTS } from '../items/similarity-events.ts'
import { type Claim, claimsOfRounds, formatted, type RowResult } from '../measure/claim.ts'
import { NO_RESTATE, type ReadRun, readRun, readRunOf, STATIC_ITEMS, STATIC_PATH } from '../measure/read-run.ts'
import { interleaved, median, ratioOf, series } from '../measure/rounds.ts'
import { startBenchGateway } from '../servers/bench-gateway.ts'
import { startBenchPostgres } from '../servers/bench-postgres.ts'
import { withParts } from '../servers/bench-stack.ts'

const FULL = { events: 1_000_000, shoppers: 20_000, present: 200, seconds: 5, rounds: 5 }
const QUICK = { events: 20_000, shoppers: 200, present: 50, seconds: 0.5, rounds: 1 }
const CONNECTIONS = [16, 64] as const
const RATIO_MIN = 0.15
const P99_MS_MAX = 25
/** With fewer a shopper gets popular products. */
const INTERACTIONS_MIN = 5

type Way = 'again' | 'shopper' | 'history' | 'visitor' | 'explained' | 'fixed'
type Name = `${Way} ${(typeof CONNECTIONS)[number]}`

/** Recommendations for shoppers that ask again, for shoppers of whom most ask for the first time in a minute, for histories that requests bring, for new visitors, and with reasons, against a static page. */
export function recommend(isQuick: boolean, only: RegExp): Promise<RowResult> {
  const { events, shoppers, present, seconds, rounds } = isQuick ? QUICK : FULL
  return withParts(async (stopAtEnd) => {
    const postgres = stopAtEnd(await startBenchPostgres())
    const { db, url: databaseUrl } = await createDatabase(postgres.url)
    stopAtEnd({ stop: () => db.destroy() })
    const { histories } = await storeRecommendable(db, events)
    const gateway = stopAtEnd(await startBenchGateway({ databaseUrl, restate: NO_RESTATE, kind: 'withStaticPage' }))
    const load = stopAtEnd(startLoad())
    const known = histories.flatMap((history, shopper) => (history.length < INTERACTIONS_MIN ? [] : [shopper])).slice(0, shoppers)
    const path = '/api/v1/recommendations'
    const pages: Record<Exclude<Way, 'history'>, Page[]> = {
      again: known.slice(0, present).map((shopper) => ({ path: `${path}?session_id=${sessionOf(shopper)}` })),
      shopper: known.map((shopper) => ({ path: `${path}?session_id=${sessionOf(shopper)}` })),
      explained: known.map((shopper) => ({ path: `${path}?session_id=${sessionOf(shopper)}&explain=true` })),
      visitor: known.map((shopper) => ({ path: `${path}?session_id=new-${shopper}` })),
      fixed: [{ path: STATIC_PATH, items: STATIC_ITEMS }],
    }
    const bodies = known.map((shopper) => JSON.stringify({ history: historyOf(histories[shopper]!) }))
    const reading = (way: Exclude<Way, 'history'>, connections: number) => () =>
      readRun(load, gateway.url, { pages: pages[way], secondsMax: seconds, connections })
    const posting = (connections: number) => async () => {
      const job = { kind: 'repeat', url: `${gateway.url}${path}`, bodies, connections, secondsMax: seconds } as const
      return readRunOf(await (await load.prepare(job))())
    }
    const ways = CONNECTIONS.flatMap((connections) => [
      ...(Object.keys(pages) as (keyof typeof pages)[]).map(
        (way) => [`${way} ${connections}`, reading(way, connections)] as const,
      ),
      [`history ${connections}`, posting(connections)] as const,
    ]).filter(([name]) => name.startsWith('fixed') || only.test(name))
    const runs = await interleaved(Object.fromEntries(ways) as Record<Name, () => Promise<ReadRun>>, rounds)
    return { claims: claimsOfRounds(runs, (rounds) => claimsOf(rounds, events)), measured: runs }
  })
}

function historyOf(productIds: readonly string[]): object[] {
  const timeOf = (at: number) => new Date(Date.UTC(2026, 0, 1) + at * 60_000).toISOString()
  return productIds.slice(-20).map((product_id, at) => ({ product_id, occurred_at: timeOf(at) }))
}

const WHAT: Record<Exclude<Way, 'fixed'>, string> = {
  again: 'recommendations again for a shopper who did nothing since',
  shopper: 'recommendations for a shopper',
  history: 'recommendations for a history of the request',
  visitor: 'recommendations for a new visitor',
  explained: 'recommendations with reasons',
}

function claimsOf(runs: Record<Name, ReadRun[]>, events: number): Claim[] {
  const latency = (some: readonly ReadRun[], part: 'p50' | 'p99') => median(series(some, (run) => run.latency[part]))
  const rates = (some: readonly ReadRun[]) => series(some, (run) => run.perSecond)
  const size = `${formatted(PRODUCTS)} products, ${formatted(events)} events`
  return CONNECTIONS.flatMap((connections) =>
    (Object.keys(WHAT) as (keyof typeof WHAT)[]).flatMap((way): Claim[] => {
      const own = runs[`${way} ${connections}`]
      const fixed = runs[`fixed ${connections}`]
      if (own === undefined) return []
      return [
        {
          what: `${WHAT[way]}, ${size}, ${connections} connections: answers/s ÷ a static page`,
          measured: ratioOf(rates(own), rates(fixed)),
          ...(way === 'again' || way === 'shopper' || way === 'history' ? { target: { min: RATIO_MIN } } : {}),
          detail: `${formatted(median(rates(own)))} answers/s against ${formatted(median(rates(fixed)))}`,
        },
        {
          what: '— p99',
          measured: latency(own, 'p99'),
          unit: 'ms',
          ...(connections === 16 && way !== 'explained' ? { target: { max: P99_MS_MAX } } : {}),
          detail: `p50 ${formatted(latency(own, 'p50'))} ms; of a static page p50 ${formatted(latency(fixed, 'p50'))} ms, p99 ${formatted(latency(fixed, 'p99'))} ms`,
        },
      ]
    }),
  )
}
