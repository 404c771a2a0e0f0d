import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { stopProcess } from '../../../src/main/embedded/process.ts'
import { register } from '../../../src/main/release/deployments.ts'
import { V8_FLAGS } from '../../../src/main/embedded/v8-flags.ts'
import type { Database } from '../../../src/store/database/connection.ts'
import { createDatabase } from '../../harness/servers/database.ts'
import { type BenchPostgres, startBenchPostgres } from '../servers/bench-postgres.ts'
import { startBenchRestate } from '../servers/bench-restate.ts'
import { withParts } from '../servers/bench-stack.ts'
import { type Claim, claimsOfRounds, formatted, type RowResult } from '../measure/claim.ts'
import { type LoadProcess, startLoad } from '../client/start-load.ts'
import { cpuSecondsBetween, cpuSecondsOf } from '../measure/process-cpu.ts'
import { isSettled, waitUntil } from '../measure/settled.ts'
import { interleaved, ratioOf, series, median } from '../measure/rounds.ts'
import { freePorts } from '../../../src/main/embedded/ports.ts'

const FULL = { seconds: 8, rounds: 5 }
const QUICK = { seconds: 1, rounds: 1 }
const CONNECTIONS = 64
const REQUEST_EVENTS = 10
const ENDPOINT = join(import.meta.dirname, '..', '..', '..', 'src', 'main', 'endpoint.ts')

const USERS = ['endpoint', 'PostgreSQL', 'Restate', 'load'] as const
type User = (typeof USERS)[number]

interface Side {
  db: Database
  url: string
  pids: Record<User, number[]>
}

interface Run {
  perSecond: number
  /** The CPU time of each in cores. */
  cores: Record<User, number>
}

/** Ingest through the ingress with one endpoint process, and with two behind one port. */
export function processes(isQuick: boolean): Promise<RowResult> {
  const { seconds, rounds } = isQuick ? QUICK : FULL
  return withParts(async (stopAtEnd) => {
    const postgres = stopAtEnd(await startBenchPostgres())
    const load = stopAtEnd(startLoad())
    const way = async (count: number) => {
      const side = await startSide(stopAtEnd, postgres, load, count)
      return (isWarmUp: boolean) => sideRun(side, load, isWarmUp ? 1 : seconds)
    }
    const runs = await interleaved({ one: await way(1), two: await way(2) }, rounds)
    return { claims: claimsOfRounds(runs, claimsOf), measured: runs }
  })
}

async function startSide(
  stopAtEnd: Parameters<Parameters<typeof withParts>[0]>[0],
  postgres: BenchPostgres,
  load: LoadProcess,
  count: number,
): Promise<Side> {
  const { db, url, drop } = await createDatabase(postgres.url)
  stopAtEnd({ stop: drop })
  const restate = stopAtEnd(await startBenchRestate())
  const [port, metrics] = (await freePorts(2)) as [number, number]
  const child = fork(ENDPOINT, {
    execArgv: V8_FLAGS.endpoint,
    env: {
      ...process.env,
      DATABASE_URL: url,
      RESTATE_INGRESS_URL: restate.ingressUrl,
      RESTATE_ADMIN_URL: restate.adminUrl,
      ENDPOINT_PORT: String(port),
      ENDPOINT_METRICS_PORT: String(metrics),
      ENDPOINT_PROCESSES: String(count),
      LOG_LEVEL: 'error',
    },
  })
  stopAtEnd({ stop: () => stopProcess(child, 'SIGTERM', 30_000) })
  await once(child, 'message')
  await register(restate.adminUrl, `http://127.0.0.1:${port}`, { isForced: true })
  const pids = { endpoint: [child.pid!], PostgreSQL: [postgres.pid], Restate: [restate.pid], load: [load.pid] }
  return { db, url: `${restate.ingressUrl}/Analytic/CreateInteraction`, pids }
}

async function sideRun({ db, url, pids }: Side, load: LoadProcess, secondsMax: number): Promise<Run> {
  const size = { connections: CONNECTIONS, requestEvents: REQUEST_EVENTS, secondsMax }
  const go = await load.prepare({ kind: 'ingest', url, isKeyed: true, ...size })
  const used = () => Promise.all(USERS.map((user) => cpuSecondsOf(pids[user])))
  const [before, startMs] = [await used(), performance.now()]
  const { events } = await go()
  await waitUntil(() => isSettled(db))
  const seconds = (performance.now() - startMs) / 1_000
  const after = await used()
  const cores = Object.fromEntries(USERS.map((user, n) => [user, cpuSecondsBetween(before[n]!, after[n]!) / seconds]))
  return { perSecond: events / seconds, cores: cores as Run['cores'] }
}

function claimsOf(runs: Record<'one' | 'two', Run[]>): Claim[] {
  const rates = (way: keyof typeof runs) => series(runs[way], (run) => run.perSecond)
  const cores = (way: keyof typeof runs) =>
    USERS.map((user) => `${user} ${formatted(median(series(runs[way], (run) => run.cores[user])))}`).join(', ')
  return [
    {
      what: `${REQUEST_EVENTS} events per request, ${CONNECTIONS} connections to the ingress: two endpoint processes ÷ one`,
      measured: ratioOf(rates('two'), rates('one')),
      detail: `${formatted(Math.round(median(rates('two'))))} against ${formatted(Math.round(median(rates('one'))))} events/s; cores with one: ${cores('one')}; with two: ${cores('two')}`,
    },
  ]
}
