import { type BenchPostgres, startBenchPostgres } from '../servers/bench-postgres.ts'
import { type BenchRestate, startBenchRestate } from '../servers/bench-restate.ts'
import { POOL_CONNECTIONS, withParts } from '../servers/bench-stack.ts'
import { type Claim, formatted, overRounds, type RowResult } from '../measure/claim.ts'
import { dayOfTraffic, type Item } from '../items/events.ts'
import { copyAlone, throughIngress, perRowFanOut, sameSql, timed, type Way } from '../ingest/ingest-ways.ts'
import { printTable } from '../measure/table.ts'
import { median } from '../measure/rounds.ts'

const SQL_CONNECTIONS = [1, 2, 4, 8]
const REQUESTS_IN_FLIGHT = [8, 32]
const SQL_IN_FLIGHT = 32
const COPY_CONNECTIONS = [2, 4]
const PER_ROW_IN_FLIGHT = 8
const FULL = { events: 200_000, perRowEvents: 8_000, rounds: 5 }
const QUICK = { events: 10_000, perRowEvents: 300, rounds: 1 }

/** Events per second of each way, from the first request until all are recorded, counted and fed. */
export function ingest(isQuick: boolean): Promise<RowResult> {
  const size = isQuick ? QUICK : FULL
  return withParts(async (stopAtEnd) => {
    const postgres = stopAtEnd(await startBenchPostgres())
    const restate = stopAtEnd(await startBenchRestate())
    return report(await measure(postgres, await waysOf(restate, size), { items: dayOfTraffic(size.events), rounds: size.rounds }))
  })
}

async function waysOf(restate: BenchRestate, size: typeof FULL): Promise<Record<'sql' | 'copy' | 'footfall' | 'perRow', Way[]>> {
  const endpoint = await restate.serve('footfall', POOL_CONNECTIONS)
  const perRow = await restate.serve('per-row', POOL_CONNECTIONS)
  const url = restate.ingressUrl
  return {
    sql: SQL_CONNECTIONS.map((connections) => sameSql(connections, SQL_IN_FLIGHT, size.events)),
    copy: COPY_CONNECTIONS.map((connections) => copyAlone(connections, size.events)),
    footfall: REQUESTS_IN_FLIGHT.map((width) => throughIngress({ url, endpoint, width }, size.events)),
    perRow: [perRowFanOut({ url, endpoint: perRow, width: PER_ROW_IN_FLIGHT }, size.perRowEvents)],
  }
}

type Kind = keyof Awaited<ReturnType<typeof waysOf>>

interface Rates {
  kind: Kind
  name: string
  /** Events per second, by round. */
  rates: number[]
}

/** Measures the ways in interleaved rounds. A first round of a tenth of the events warms up and is not counted. */
async function measure(
  postgres: BenchPostgres,
  ways: Record<Kind, Way[]>,
  options: { items: readonly Item[]; rounds: number },
): Promise<Rates[]> {
  const all = Object.entries(ways).flatMap(([kind, ways]) =>
    ways.map((way) => ({ kind: kind as Kind, way, rates: [] as number[] })),
  )
  for (let round = 0; round <= options.rounds; round++) {
    for (const { way, rates } of all) {
      const items = options.items.slice(0, round === 0 ? Math.ceil(way.events / 10) : way.events)
      const seconds = await timed(postgres, way, { name: `${way.name}, round ${round}`, items })
      if (round > 0) rates.push(items.length / seconds)
    }
  }
  return all.map(({ kind, way, rates }) => ({ kind, name: way.name, rates }))
}

/** Compares the best ways of each kind, by their medians, with the median of the rounds' ratios. */
function report(measured: readonly Rates[]): RowResult {
  const medians = measured.map(({ kind, name, rates }) => ({ kind, name, median: median(rates), rates: rates.map(Math.round) }))
  const bestOf = (kind: Kind) =>
    measured.filter((way) => way.kind === kind).reduce((best, way) => (median(way.rates) > median(best.rates) ? way : best))
  const best = bestOf('footfall')
  const [sql, copy] = [bestOf('sql'), bestOf('copy')]
  const claimTo = (other: Rates, what: string): Claim => ({
    what: `requests of 1,000 events through the ingress ÷ ${what}`,
    ...overRounds(best.rates.map((rate, round) => rate / other.rates[round]!)),
    detail: `${formatted(median(best.rates))} events/s (${best.name}) against ${formatted(median(other.rates))} (${other.name})`,
  })
  printTable(
    ['ingest, counted and fed', 'events/s', 'least', 'most'],
    medians.map((way) => [way.name, Math.round(way.median), Math.min(...way.rates), Math.max(...way.rates)]),
  )
  const claims = [
    { ...claimTo(sql, 'the same SQL without Restate'), target: { min: 0.75 } },
    { ...claimTo(bestOf('perRow'), 'one send per row and target'), target: { min: 25 } },
  ]
  const limit: Claim = {
    what: '— the same SQL ÷ COPY of the same rows into the log, without aggregates',
    ...overRounds(sql.rates.map((rate, round) => rate / copy.rates[round]!)),
    detail: `${formatted(median(sql.rates))} events/s (${sql.name}) against ${formatted(median(copy.rates))} (${copy.name})`,
  }
  return { claims: [...claims, limit], measured: medians }
}
