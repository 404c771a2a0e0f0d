import { createDatabase } from '../../harness/servers/database.ts'
import { type BenchGateway, startBenchGateway } from '../servers/bench-gateway.ts'
import { type BenchServers, withServers } from '../servers/bench-stack.ts'
import { type Claim, formatted, type RowResult } from '../measure/claim.ts'
import { entrancesOf, type IngestRun, ingestRun } from '../ingest/ingest-run.ts'
import { cpuSecondsBetween, cpuSecondsOf } from '../measure/process-cpu.ts'
import { interleaved, median, ratioOf, series } from '../measure/rounds.ts'

const FULL = { seconds: 6, rounds: 5 }
const QUICK = { seconds: 1, rounds: 1 }
const WARM_UP_SECONDS = 1
const CONNECTIONS = 256
/** More than are sent, because an unsent request costs nothing during the run. */
const REQUESTS_PER_SECOND_MAX = 16_000

const USERS = ['gateway', 'endpoint', 'PostgreSQL', 'Restate', 'load'] as const
type User = (typeof USERS)[number]

interface Run extends IngestRun {
  /** CPU time of each, in µs per event. */
  perEvent: Record<User, number>
}

/** Single events through one gateway process, and through two behind one port. */
export function gatewayProcesses(isQuick: boolean): Promise<RowResult> {
  const { seconds, rounds } = isQuick ? QUICK : FULL
  return withServers(async (servers, stopAtEnd) => {
    const way = async (count: number) => {
      // Without keys in it, because the gateway looks for them.
      const { url: databaseUrl, drop } = await createDatabase(servers.postgres.url)
      stopAtEnd({ stop: drop })
      const settings = { GATEWAY_PROCESSES: String(count) }
      const gateway = stopAtEnd(await startBenchGateway({ databaseUrl, restate: servers.restate, settings }))
      return (isWarmUp: boolean) => runOf(servers, gateway, isWarmUp ? WARM_UP_SECONDS : seconds)
    }
    const runs = await interleaved({ one: await way(1), two: await way(2) }, rounds)
    return { claims: claimsOf(runs), measured: runs }
  })
}

async function runOf(servers: BenchServers, gateway: BenchGateway, secondsMax: number): Promise<Run> {
  const { postgres, restate, endpoint, load } = servers
  const pids = { gateway: gateway.pid, endpoint: endpoint.pid, PostgreSQL: postgres.pid, Restate: restate.pid, load: load.pid }
  const used = () => Promise.all(USERS.map((user) => cpuSecondsOf([pids[user]])))
  const { url } = entrancesOf({ gateway, restate }).gateway
  const requestsMax = Math.ceil(secondsMax * REQUESTS_PER_SECOND_MAX)
  const before = await used()
  const run = await ingestRun(servers, { url, connections: CONNECTIONS, secondsMax, requestEvents: 1, requestsMax })
  const after = await used()
  const perEvent = USERS.map((user, n) => [user, (cpuSecondsBetween(before[n]!, after[n]!) * 1_000_000) / run.events] as const)
  return { ...run, perEvent: Object.fromEntries(perEvent) as Run['perEvent'] }
}

function claimsOf(runs: Record<'one' | 'two', Run[]>): Claim[] {
  const rates = (way: keyof typeof runs) => series(runs[way], (run) => run.perSecond)
  const rate = (way: keyof typeof runs) => formatted(Math.round(median(rates(way))))
  const cpu = (way: keyof typeof runs) =>
    USERS.map((user) => `${user} ${formatted(Math.round(median(series(runs[way], (run) => run.perEvent[user]))))}`).join(', ')
  const p99 = (way: keyof typeof runs) => median(series(runs[way], (run) => run.latency.p99))
  return [
    {
      what: `one event per request, ${CONNECTIONS} connections: two gateway processes ÷ one`,
      measured: ratioOf(rates('two'), rates('one')),
      detail: `${rate('two')} against ${rate('one')} events/s, p99 ${formatted(p99('two'))} against ${formatted(p99('one'))} ms; µs of CPU per event with one: ${cpu('one')}; with two: ${cpu('two')}`,
    },
  ]
}
