import { entrancesOf, type IngestRun, ingestRun } from '../ingest/ingest-run.ts'
import { type Claim, claimsOfRounds, formatted, type RowResult } from '../measure/claim.ts'
import { interleaved, median, ratioOf, series } from '../measure/rounds.ts'
import { type BenchReplica, STANDBY_NAME, startBenchReplica } from '../servers/bench-replica.ts'
import { type BenchStack, withStack } from '../servers/bench-stack.ts'

const FULL = { seconds: 6, rounds: 5, share: 1 }
/** With an eighth of the connections, because a busy machine answers more of them too late. */
const QUICK = { seconds: 1, rounds: 1, share: 1 / 8 }
const WARM_UP_SECONDS = 1
/** More than any way sends, because an unsent request costs nothing during the run. */
const EVENTS_PER_SECOND_MAX = 60_000
const SIZES = {
  batches: { requestEvents: 1_000, connections: 32 },
  singles: { requestEvents: 1, connections: 256 },
}
const NAMES = { local: '', synchronous: `ANY 1 (${STANDBY_NAME})` }

type Size = keyof typeof SIZES
type Commit = keyof typeof NAMES
type Way = `${Size} ${Commit}`

/** Events through the gateway, with commits that wait for the disk of the primary, and with those that wait for that of a standby too. */
export async function synchronousCommit(isQuick: boolean): Promise<RowResult> {
  const { seconds, rounds, share } = isQuick ? QUICK : FULL
  const started: BenchReplica[] = []
  const start = async () => {
    const replica = await startBenchReplica()
    started.push(replica)
    return replica
  }
  return withStack(async (stack) => {
    const { primary, standby } = started[0]!
    const way = (size: Size, commit: Commit) => async (isWarmUp: boolean) => {
      await primary.configure({ synchronous_standby_names: NAMES[commit] })
      try {
        return await runOf(stack, size, { share, secondsMax: isWarmUp ? WARM_UP_SECONDS : seconds })
      } finally {
        await standby.waitUntilCaughtUp()
      }
    }
    const runs = await interleaved<Way, IngestRun>(
      {
        'batches local': way('batches', 'local'),
        'batches synchronous': way('batches', 'synchronous'),
        'singles local': way('singles', 'local'),
        'singles synchronous': way('singles', 'synchronous'),
      },
      rounds,
    )
    return { claims: claimsOfRounds(runs, (rounds) => [claimOf(rounds, 'batches'), claimOf(rounds, 'singles')]), measured: runs }
  }, start)
}

function runOf(stack: BenchStack, size: Size, part: { share: number; secondsMax: number }): Promise<IngestRun> {
  const { secondsMax, share } = part
  const { requestEvents } = SIZES[size]
  const connections = SIZES[size].connections * share
  const requestsMax = Math.ceil((secondsMax * EVENTS_PER_SECOND_MAX) / requestEvents)
  return ingestRun(stack, { ...entrancesOf(stack).gateway, connections, requestEvents, secondsMax, requestsMax })
}

function claimOf(runs: Record<Way, IngestRun[]>, size: Size): Claim {
  const rates = (commit: Commit) => series(runs[`${size} ${commit}`], ({ perSecond }) => perSecond)
  const latency = (commit: Commit, part: 'p50' | 'p99') =>
    formatted(median(series(runs[`${size} ${commit}`], (run) => run.latency[part])))
  const of = (commit: Commit) =>
    `${formatted(Math.round(median(rates(commit))))} events/s (p50 ${latency(commit, 'p50')}, p99 ${latency(commit, 'p99')} ms)`
  const { requestEvents, connections } = SIZES[size]
  return {
    what: `${requestEvents.toLocaleString('en')} ${requestEvents === 1 ? 'event' : 'events'} per request, ${connections} connections: commits that wait for a standby ÷ local ones`,
    measured: ratioOf(rates('synchronous'), rates('local')),
    detail: `${of('synchronous')} against ${of('local')}; both servers share one disk`,
  }
}
