import { formatted, type Claim, claimsOfRounds, type RowResult } from '../measure/claim.ts'
import { cpuSecondsOfTree } from '../measure/process-cpu.ts'
import { entrancesOf, ingestRun } from '../ingest/ingest-run.ts'
import { interleaved, median, series } from '../measure/rounds.ts'
import { type BenchStack, withStack } from '../servers/bench-stack.ts'

const FULL = { batchEvents: 200_000, singleEvents: 20_000, rounds: 5 }
const QUICK = { batchEvents: 20_000, singleEvents: 1_000, rounds: 1 }
const SECONDS_MAX = 120
const BATCHES = { requestEvents: 1_000, connections: 32 }
const SINGLES = { requestEvents: 1, connections: 256 }

/** Microseconds of one processor for each event. */
type Run = Record<'gateway' | 'endpoint' | 'restate' | 'postgres', number>

/** The processor time that an event takes in each process, until it is counted and fed. */
export function cpu(isQuick: boolean): Promise<RowResult> {
  const { batchEvents, singleEvents, rounds } = isQuick ? QUICK : FULL
  return withStack(async (stack) => {
    const ways = {
      batches: () => cpuRun(stack, { ...BATCHES, events: batchEvents }),
      singles: () => cpuRun(stack, { ...SINGLES, events: singleEvents }),
    }
    const runs = await interleaved(ways, rounds)
    return {
      claims: claimsOfRounds(runs, ({ batches, singles }) => [
        claimOf('requests of 1,000 events', batches),
        claimOf('single events, 256 connections', singles),
      ]),
      measured: runs,
    }
  })
}

async function cpuRun(
  stack: BenchStack,
  { events, ...job }: { events: number; requestEvents: number; connections: number },
): Promise<Run> {
  const { gateway, endpoint, restate, postgres } = stack
  const parts = { gateway, endpoint, restate, postgres }
  const secondsOf = () => Promise.all(Object.values(parts).map(({ pid }) => cpuSecondsOfTree(pid)))
  const before = await secondsOf()
  const requestsMax = events / job.requestEvents
  const run = await ingestRun(stack, { ...entrancesOf(stack).gateway, ...job, secondsMax: SECONDS_MAX, requestsMax })
  const after = await secondsOf()
  const perEvent = Object.keys(parts).map((part, place) => [part, ((after[place]! - before[place]!) * 1e6) / run.events])
  return Object.fromEntries(perEvent) as Run
}

function claimOf(what: string, runs: readonly Run[]): Claim {
  const of = (part: keyof Run) => median(series(runs, (run) => run[part]))
  const parts = (['gateway', 'endpoint', 'restate', 'postgres'] as const).map((part) => `${part} ${formatted(of(part))}`)
  return {
    what: `processor time of an event, ${what}`,
    measured: median(series(runs, (run) => run.gateway + run.endpoint + run.restate + run.postgres)),
    unit: 'µs',
    detail: `${parts.join(', ')}, until it is counted and fed`,
  }
}
