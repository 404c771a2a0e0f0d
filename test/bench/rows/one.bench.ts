import { withStack } from '../servers/bench-stack.ts'
import { claimsOfRounds, formatted, type RowResult } from '../measure/claim.ts'
import { entrancesOf, type IngestRun, ingestRun } from '../ingest/ingest-run.ts'
import { interleaved, ratioOf, series, median } from '../measure/rounds.ts'

const FULL = { seconds: 4, rounds: 7 }
const QUICK = { seconds: 1, rounds: 1 }
const WARM_UP_SECONDS = 1
const REQUESTS_PER_SECOND_MAX = 2_000
const LATENCY_MAX = 1.3

/** The latency that the gateway adds for a lone caller, who must not wait for others. */
export function one(isQuick: boolean): Promise<RowResult> {
  const { seconds, rounds } = isQuick ? QUICK : FULL
  return withStack(async (stack) => {
    const entrances = entrancesOf(stack)
    const way = (entrance: { url: string }) => (isWarmUp: boolean) => {
      const secondsMax = isWarmUp ? WARM_UP_SECONDS : seconds
      const requestsMax = secondsMax * REQUESTS_PER_SECOND_MAX
      return ingestRun(stack, { ...entrance, connections: 1, secondsMax, requestEvents: 1, requestsMax })
    }
    const runs = await interleaved({ ingress: way(entrances.ingress), gateway: way(entrances.gateway) }, rounds)
    const claim = (part: 'p50' | 'p99', { ingress, gateway }: typeof runs) => ({
      what: `one connection, one event per request: ${part} through the gateway ÷ through the ingress`,
      measured: ratioOf(latencies(gateway, part), latencies(ingress, part)),
      detail: `${formatted(median(latencies(gateway, part)))} against ${formatted(median(latencies(ingress, part)))} ms`,
    })
    const claims = (rounds: typeof runs) => [{ ...claim('p50', rounds), target: { max: LATENCY_MAX } }, claim('p99', rounds)]
    return { claims: claimsOfRounds(runs, claims), measured: runs }
  })
}

function latencies(runs: readonly IngestRun[], part: 'p50' | 'p99'): number[] {
  return series(runs, (run) => run.latency[part])
}
