import { type BenchStack, withStack } from '../servers/bench-stack.ts'
import { type Claim, claimsOfRounds, formatted, type RowResult } from '../measure/claim.ts'
import { entrancesOf, type IngestRun, ingestRun } from '../ingest/ingest-run.ts'
import { interleaved, ratioOf, series, median } from '../measure/rounds.ts'

const FULL = { seconds: 6, rounds: 5 }
const QUICK = { seconds: 1, rounds: 1 }
const WARM_UP_SECONDS = 1
/** More than any way sends, because an unsent request costs nothing during the run. */
const REQUESTS_PER_SECOND_MAX = 16_000
const FEW = 256
const MANY = 1_024

/** Single events from many connections, through the gateway and through the Restate ingress. */
export function singles(isQuick: boolean): Promise<RowResult> {
  const { seconds, rounds } = isQuick ? QUICK : FULL
  return withStack(async (stack) => {
    const entrances = entrancesOf(stack)
    const way = (entrance: keyof typeof entrances, connections: number) => (isWarmUp: boolean) =>
      runOf(stack, entrances[entrance], connections, isWarmUp ? WARM_UP_SECONDS : seconds)
    await stack.restate.serve('nothing', 1)
    const nothing = (isWarmUp: boolean) => nothingRun(stack, isWarmUp ? WARM_UP_SECONDS : seconds)
    const ways = { ingress: way('ingress', FEW), gateway: way('gateway', FEW), wide: way('gateway', MANY), nothing }
    const runs = await interleaved(ways, rounds)
    return { claims: claimsOfRounds(runs, claimsOf), measured: runs }
  })
}

function runOf(stack: BenchStack, entrance: { url: string }, connections: number, secondsMax: number): Promise<IngestRun> {
  const requestsMax = Math.ceil(secondsMax * REQUESTS_PER_SECOND_MAX)
  return ingestRun(stack, { ...entrance, connections, secondsMax, requestEvents: 1, requestsMax })
}

/** Durable calls through the ingress that do nothing. */
async function nothingRun({ restate, load }: BenchStack, secondsMax: number): Promise<Run> {
  const url = `${restate.ingressUrl}/Nothing/Do`
  const go = await load.prepare({ kind: 'call', of: 'nothing', url, connections: FEW, secondsMax, requestsMax: 1 })
  const { requests, seconds, latency } = await go()
  return { perSecond: requests / seconds, latency }
}

type Run = Pick<IngestRun, 'perSecond' | 'latency'>

function claimsOf(runs: Record<'ingress' | 'gateway' | 'wide' | 'nothing', Run[]>): Claim[] {
  const rates = (way: keyof typeof runs) => series(runs[way], (run) => run.perSecond)
  const rate = (way: keyof typeof runs) => `${formatted(Math.round(median(rates(way))))} events/s`
  const latency = (way: keyof typeof runs, part: 'p50' | 'p99') => median(series(runs[way], (run) => run.latency[part]))
  return [
    {
      what: `one event per request, ${FEW} connections: gateway ÷ Restate ingress`,
      measured: ratioOf(rates('gateway'), rates('ingress')),
      target: { min: 12 },
      detail: `${rate('gateway')} against ${rate('ingress')}`,
    },
    {
      what: '— p99 through the gateway',
      measured: latency('gateway', 'p99'),
      unit: 'ms',
      target: { max: 100 },
      detail: `p50 ${formatted(latency('gateway', 'p50'))} ms; through the ingress ${formatted(latency('ingress', 'p50'))} and ${formatted(latency('ingress', 'p99'))} ms`,
    },
    {
      what: '— p99 through the gateway ÷ that of a durable call that does nothing, through the ingress',
      measured: ratioOf(
        series(runs.gateway, (run) => run.latency.p99),
        series(runs.nothing, (run) => run.latency.p99),
      ),
      detail: `${formatted(Math.round(median(rates('nothing'))))} calls/s, p50 ${formatted(latency('nothing', 'p50'))} ms, p99 ${formatted(latency('nothing', 'p99'))} ms`,
    },
    {
      what: `gateway, ${MANY} ÷ ${FEW} connections`,
      measured: ratioOf(rates('wide'), rates('gateway')),
      target: { min: 1.2 },
      detail: `${rate('wide')}; p50 ${formatted(latency('wide', 'p50'))} ms, p99 ${formatted(latency('wide', 'p99'))} ms`,
    },
  ]
}
