import { createDatabase } from '../../harness/servers/database.ts'
import { startLoad } from '../client/start-load.ts'
import { storeProducts } from '../items/products.ts'
import { type Claim, claimsOfRounds, formatted, type RowResult } from '../measure/claim.ts'
import { NO_RESTATE, READ_CONNECTIONS, type ReadRun, readRun, STATIC_ITEMS, TOP_PATH } from '../measure/read-run.ts'
import { interleaved, median, ratioOf, series } from '../measure/rounds.ts'
import { startBenchGateway } from '../servers/bench-gateway.ts'
import { startBenchReplica } from '../servers/bench-replica.ts'
import { withParts } from '../servers/bench-stack.ts'

const FULL = { products: 100_000, seconds: 5, rounds: 5 }
const QUICK = { products: 5_000, seconds: 0.5, rounds: 1 }
const PAGES = [{ path: `${TOP_PATH}?limit=${STATIC_ITEMS}`, items: STATIC_ITEMS }]

type Way = 'primary' | 'standby' | 'both'

/** The top list without a cache, from the primary, from a standby, and from both by two gateways. All of it shares the cores of one machine. */
export function standbyReads(isQuick: boolean): Promise<RowResult> {
  const { products, seconds, rounds } = isQuick ? QUICK : FULL
  return withParts(async (stopAtEnd) => {
    const replica = stopAtEnd(await startBenchReplica())
    const { db, url: databaseUrl } = await createDatabase(replica.url)
    stopAtEnd({ stop: () => db.destroy() })
    await storeProducts(db, products)
    await replica.standby.waitUntilCaughtUp()
    const readUrl = databaseUrl.replace(`:${replica.primary.port}/`, `:${replica.standby.port}/`)
    const gatewayWith = async (settings: Record<string, string>) =>
      stopAtEnd(await startBenchGateway({ databaseUrl, restate: NO_RESTATE, settings: { TOP_CACHE_MS: '0', ...settings } }))
    const [ofPrimary, ofStandby] = [await gatewayWith({}), await gatewayWith({ DATABASE_READ_URL: readUrl })]
    const loads = [stopAtEnd(startLoad()), stopAtEnd(startLoad())] as const
    const run = (url: string, load: (typeof loads)[number], connections: number) =>
      readRun(load, url, { pages: PAGES, secondsMax: seconds, connections })
    const both = async (): Promise<ReadRun> => {
      const half = READ_CONNECTIONS / 2
      const [one, other] = await Promise.all([run(ofPrimary.url, loads[0], half), run(ofStandby.url, loads[1], half)])
      return { perSecond: one.perSecond + other.perSecond, latency: one.latency }
    }
    const runs = await interleaved<Way, ReadRun>(
      {
        primary: () => run(ofPrimary.url, loads[0], READ_CONNECTIONS),
        standby: () => run(ofStandby.url, loads[0], READ_CONNECTIONS),
        both,
      },
      rounds,
    )
    return { claims: claimsOfRounds(runs, (rounds) => claimsOf(rounds, products)), measured: runs }
  })
}

function claimsOf(runs: Record<Way, ReadRun[]>, products: number): Claim[] {
  const rates = (way: Way) => series(runs[way], ({ perSecond }) => perSecond)
  const text = (way: Way) => `${formatted(median(rates(way)))} answers/s`
  const p99 = (way: Way) => formatted(median(series(runs[way], ({ latency }) => latency.p99)))
  return [
    {
      what: `popularity/top of ${products.toLocaleString('en')} products, no cache, ${READ_CONNECTIONS} connections: through a standby ÷ from the primary`,
      measured: ratioOf(rates('standby'), rates('primary')),
      target: { min: 0.9 },
      detail: `${text('standby')} against ${text('primary')}; p99 ${p99('standby')} and ${p99('primary')} ms`,
    },
    {
      what: '— a gateway on each of them, together ÷ one on the primary; both servers, both gateways and the load share the cores',
      measured: ratioOf(rates('both'), rates('primary')),
      detail: `${text('both')} against ${text('primary')}`,
    },
  ]
}
