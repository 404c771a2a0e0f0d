import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { freePorts } from '../../../src/main/embedded/ports.ts'
import { stopProcess } from '../../../src/main/embedded/process.ts'
import { V8_FLAGS } from '../../../src/main/embedded/v8-flags.ts'
import { ingressEntranceOf, type IngestRun, ingestRun } from '../ingest/ingest-run.ts'
import { type Claim, claimsOfRounds, formatted, type RowResult } from '../measure/claim.ts'
import { interleaved, median, ratioOf, series } from '../measure/rounds.ts'
import { cpuSecondsBetween, cpuSecondsOf } from '../measure/process-cpu.ts'
import { type BenchServers, withServers } from '../servers/bench-stack.ts'

const FULL = { seconds: 5, rounds: 9 }
const QUICK = { seconds: 1, rounds: 1 }
const WARM_UP_SECONDS = 1
const RATE_MIN = 0.95
const CPU_MAX = 0.05

const GUARD = join(import.meta.dirname, '..', '..', '..', 'src', 'main', 'guard.ts')

/** More requests per second than are answered, because an unsent request costs nothing during the run. */
const LOADS = {
  one: { connections: 1, requestEvents: 1, perSecondMax: 2_000 },
  singles: { connections: 256, requestEvents: 1, perSecondMax: 4_000 },
  batches: { connections: 8, requestEvents: 1_000, perSecondMax: 100 },
}

interface Run extends IngestRun {
  /** CPU time of the guard ÷ that of all servers. */
  cpuShare: number
}

/** Calls through the ingress of one Restate: at a port of its own, and at its socket behind the guard. */
export function guard(isQuick: boolean): Promise<RowResult> {
  const { seconds, rounds } = isQuick ? QUICK : FULL
  return withServers(
    async (servers, stopAtEnd) => {
      const { url, pid } = stopAtEnd(await startGuard(servers.restate.folder))
      const entrances = { bare: ingressEntranceOf(servers.restate.ingressUrl), guarded: ingressEntranceOf(url) }
      const way = (entrance: keyof typeof entrances, load: keyof typeof LOADS) => async (isWarmUp: boolean) => {
        const secondsMax = isWarmUp ? WARM_UP_SECONDS : seconds
        const { perSecondMax, ...job } = LOADS[load]
        const cpuUsed = await startCpuClock(servers, pid)
        const run = await ingestRun(servers, {
          ...entrances[entrance],
          ...job,
          secondsMax,
          requestsMax: secondsMax * perSecondMax,
        })
        return { ...run, cpuShare: await cpuUsed() }
      }
      const both = (load: keyof typeof LOADS) => interleaved({ bare: way('bare', load), guarded: way('guarded', load) }, rounds)
      const runs = { one: await both('one'), singles: await both('singles'), batches: await both('batches') }
      const claims = [
        ...claimsOfRounds(runs.singles, (rounds) =>
          claimsOf('256 connections, one event per request', rounds, { min: RATE_MIN }),
        ),
        ...claimsOfRounds(runs.batches, (rounds) =>
          claimsOf('8 connections, 1,000 events per request', rounds, { min: RATE_MIN }),
        ),
        ...claimsOfRounds(runs.one, (rounds) => claimsOf('one connection, one event per request', rounds)),
      ]
      return { claims, measured: runs }
    },
    { RESTATE_LISTEN_MODE: 'all' },
  )
}

function claimsOf(
  what: string,
  { bare, guarded }: Record<'bare' | 'guarded', readonly Run[]>,
  target?: { min: number },
): Claim[] {
  const rates = (runs: readonly Run[]) => series(runs, (run) => run.perSecond)
  const rate = (runs: readonly Run[]) => formatted(median(rates(runs)))
  const p50 = (runs: readonly Run[]) => formatted(median(series(runs, (run) => run.latency.p50)))
  return [
    {
      what: `${what}: rate through the guard ÷ without it`,
      measured: ratioOf(rates(guarded), rates(bare)),
      ...(target && { target }),
      detail: `${rate(guarded)} events/s against ${rate(bare)}; p50 ${p50(guarded)} and ${p50(bare)} ms`,
    },
    {
      what: '— CPU time of the guard ÷ that of PostgreSQL, Restate, endpoint and guard',
      measured: median(series(guarded, (run) => run.cpuShare)),
      target: { max: CPU_MAX },
      detail: '',
    },
  ]
}

/** @returns a function that tells the guard's share of the CPU time since then. */
async function startCpuClock({ postgres, restate, endpoint }: BenchServers, guardPid: number): Promise<() => Promise<number>> {
  const all = [postgres.pid, restate.pid, endpoint.pid, guardPid]
  const used = () => Promise.all([cpuSecondsOf([guardPid]), cpuSecondsOf(all)])
  const before = await used()
  return async () => {
    const after = await used()
    return cpuSecondsBetween(before[0], after[0]) / cpuSecondsBetween(before[1], after[1])
  }
}

async function startGuard(folder: string): Promise<{ url: string; pid: number; stop: () => Promise<void> }> {
  const ports = await freePorts(3)
  const child = fork(GUARD, ports.map(String), { cwd: folder, execArgv: V8_FLAGS.guard })
  await once(child, 'message')
  return { url: `http://127.0.0.1:${ports[0]}`, pid: child.pid!, stop: () => stopProcess(child, 'SIGTERM') }
}
