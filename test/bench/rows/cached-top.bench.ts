import { createDatabase } from '../../harness/servers/database.ts'
import { type BenchStack, withServers } from '../servers/bench-stack.ts'
import { startBenchGateway } from '../servers/bench-gateway.ts'
import { type Claim, claimsOfRounds, formatted, type RowResult } from '../measure/claim.ts'
import type { LoadResult, Page } from '../client/job.ts'
import { countsOf, mustHaveCounted } from '../measure/row-counts.ts'
import { entrancesOf } from '../ingest/ingest-run.ts'
import { isSettled, waitUntil } from '../measure/settled.ts'
import { agesOf, PAGES_THAT_END_WITH_A_MARK, RISING_EVENTS, startRisingProbes, storeProbes } from '../items/probes.ts'
import { storeProducts } from '../items/products.ts'
import { READ_CONNECTIONS, type ReadRun, readRunOf, STATIC_ITEMS, STATIC_PATH, TOP_PATH } from '../measure/read-run.ts'
import { interleaved, ratioOf, series, median } from '../measure/rounds.ts'

const FULL = { products: 1_000_000, seconds: 6, rounds: 5 }
const QUICK = { products: 50_000, seconds: 1.5, rounds: 1 }
const CACHE_MS = 1_000
const PAGES = 1_000
const LIMIT_MAX = 100
const INGEST = { requestEvents: 100, connections: 4 }
const INGEST_REQUESTS_PER_SECOND_MAX = 400

/** The cached top list during ingest, against a static page, and the age of its answers. */
export function cachedTop(isQuick: boolean): Promise<RowResult> {
  const { products, seconds, rounds } = isQuick ? QUICK : FULL
  return withServers(async (servers, stopAtEnd) => {
    const { postgres, restate, endpoint } = servers
    const { db, url: databaseUrl } = await createDatabase(postgres.url)
    stopAtEnd({ stop: () => db.destroy() })
    await storeProducts(db, products)
    await storeProbes(db)
    await endpoint.use(databaseUrl)
    const settings = { TOP_CACHE_MS: String(CACHE_MS) }
    const gateway = stopAtEnd(await startBenchGateway({ databaseUrl, restate, kind: 'withStaticPage', settings }))
    const stack = { ...servers, gateway }
    const before = await countsOf(db)
    let events = 0
    const rising = startRisingProbes(db)
    stopAtEnd(rising)
    const way = (pages: Page[]) => async () => {
      const run = await runOf(stack, pages, seconds)
      events += run.ingested
      // Uncounted batches must not slow down the next way.
      await waitUntil(() => isSettled(db))
      return run
    }
    const topPages = await pagesOf(gateway.url)
    const runs = await interleaved({ fixed: way([{ path: STATIC_PATH, items: STATIC_ITEMS }]), top: way(topPages) }, rounds)
    await rising.stop()
    await waitUntil(() => isSettled(db))
    await mustHaveCounted(db, events + (rising.committedAtMs.length - 1) * RISING_EVENTS, before)
    const ages = runs.top.flatMap((run) => agesOf(run.sightings, rising.committedAtMs))
    return { claims: claimsOfRounds(runs, (rounds) => claimsOf(rounds, ages, products)), measured: summaryOf(runs) }
  })
}

interface TopRun extends ReadRun {
  ingested: number
  ingestedPerSecond: number
  sightings: LoadResult['sightings']
}

/** Reads while batches are ingested through the same gateway. */
async function runOf(stack: BenchStack, pages: Page[], secondsMax: number): Promise<TopRun> {
  const { load, gateway } = stack
  const requestsMax = Math.ceil(secondsMax * INGEST_REQUESTS_PER_SECOND_MAX)
  const ingest = await load.prepare({ kind: 'ingest', ...entrancesOf(stack).gateway, ...INGEST, secondsMax, requestsMax })
  const read = await load.prepare({ kind: 'read', url: gateway.url, connections: READ_CONNECTIONS, pages, secondsMax })
  const [{ events, seconds }, result] = await Promise.all([ingest(), read()])
  return { ...readRunOf(result), sightings: result.sightings, ingested: events, ingestedPerSecond: events / seconds }
}

/** Pages with random limits, from the best product on or after a random mark. */
async function pagesOf(url: string): Promise<Page[]> {
  const cursors = await Promise.all(PAGES_THAT_END_WITH_A_MARK.map((limit) => cursorAfter(url, limit)))
  const starts = ['', ...cursors.map((cursor) => `&cursor=${cursor}`)]
  const upTo = (count: number) => Math.floor(Math.random() * count)
  return Array.from({ length: PAGES }, () => {
    const limit = 1 + upTo(LIMIT_MAX)
    return { path: `${TOP_PATH}?limit=${limit}${starts[upTo(starts.length)]}`, items: limit, isProbed: true }
  })
}

async function cursorAfter(url: string, limit: number): Promise<string> {
  const answer = await fetch(`${url}${TOP_PATH}?limit=${limit}`)
  const { meta } = (await answer.json()) as { meta: { next_cursor: string } }
  return meta.next_cursor
}

function claimsOf({ fixed, top }: Record<'fixed' | 'top', TopRun[]>, ages: readonly number[], products: number): Claim[] {
  const rates = (runs: readonly TopRun[]) => series(runs, (run) => run.perSecond)
  const latency = (part: 'p50' | 'p99') => formatted(median(series(top, (run) => run.latency[part])))
  const ingested = (runs: readonly TopRun[]) => formatted(median(series(runs, (run) => run.ingestedPerSecond)))
  return [
    {
      what: `popularity/top of ${products.toLocaleString('en')} products, cached for ${formatted(CACHE_MS / 1_000)} s, random limits and cursors, during ingest ÷ a static page`,
      measured: ratioOf(rates(top), rates(fixed)),
      target: { min: 0.5 },
      detail: `${formatted(median(rates(top)))} answers/s of 50 products against ${formatted(median(rates(fixed)))} of 10; p50 ${latency('p50')} ms, p99 ${latency('p99')} ms; during ingest of ${ingested(top)} and ${ingested(fixed)} events/s`,
    },
    {
      what: '— the oldest answer',
      measured: ages.reduce((oldest, age) => Math.max(oldest, age), 0),
      unit: 'ms',
      target: { max: CACHE_MS },
      detail: `of ${formatted(ages.length)} answers, each with a probe whose purchases rise all the time`,
    },
  ]
}

function summaryOf(runs: Record<'fixed' | 'top', TopRun[]>): object {
  const withoutSightings = (topRuns: readonly TopRun[]) =>
    topRuns.map(({ sightings, ...run }) => ({ ...run, sightings: sightings.length }))
  return { fixed: withoutSightings(runs.fixed), top: withoutSightings(runs.top) }
}
