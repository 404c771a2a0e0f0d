import { type BenchStack, withStack } from '../servers/bench-stack.ts'
import { claimsOfRounds, formatted, type RowResult } from '../measure/claim.ts'
import { dayOfTraffic } from '../items/events.ts'
import { entrancesOf, ingestRun } from '../ingest/ingest-run.ts'
import { sameSql, timed } from '../ingest/ingest-ways.ts'
import { interleaved, ratioOf, median } from '../measure/rounds.ts'

const FULL = { events: 200_000, rounds: 5 }
const QUICK = { events: 10_000, rounds: 1 }
const WARM_UP_SHARE = 0.1
const SECONDS_MAX = 120
/** The row `ingest` shows that one and two connections are slower. */
const SQL_CONNECTIONS = [4, 8]
const SQL_IN_FLIGHT = 32
/** Enough requests in flight for several full flushes of the gateway. */
const GATEWAY = {
  hundreds: { requestEvents: 100, connections: 64, target: 0.5 },
  thousands: { requestEvents: 1_000, connections: 32, target: 0.9 },
}

/** Batches through the gateway, against the same statements on PostgreSQL alone in batches of 1,000. */
export function batches(isQuick: boolean): Promise<RowResult> {
  const { events, rounds } = isQuick ? QUICK : FULL
  return withStack(async (stack) => {
    const items = dayOfTraffic(events)
    const part = (isWarmUp: boolean) => (isWarmUp ? events * WARM_UP_SHARE : events)
    const sql = (connections: number) => async (isWarmUp: boolean) => {
      const way = sameSql(connections, SQL_IN_FLIGHT, events)
      const sent = items.slice(0, part(isWarmUp))
      return sent.length / (await timed(stack.postgres, way, { name: way.name, items: sent }))
    }
    const gateway = (size: keyof typeof GATEWAY) => (isWarmUp: boolean) => rateOf(stack, GATEWAY[size], part(isWarmUp))
    const [few, many] = SQL_CONNECTIONS as [number, number]
    const ways = { few: sql(few), many: sql(many), hundreds: gateway('hundreds'), thousands: gateway('thousands') }
    const rates = await interleaved(ways, rounds)
    const best = median(rates.few) > median(rates.many) ? 'few' : 'many'
    const claim = (size: keyof typeof GATEWAY, rounds: typeof rates) => ({
      what: `requests of ${formatted(GATEWAY[size].requestEvents)} events: gateway ÷ the same SQL without Restate`,
      measured: ratioOf(rounds[size], rounds[best]),
      target: { min: GATEWAY[size].target },
      detail: `${formatted(median(rounds[size]))} events/s against ${formatted(median(rounds[best]))}`,
    })
    const claims = (rounds: typeof rates) => [claim('hundreds', rounds), claim('thousands', rounds)]
    return { claims: claimsOfRounds(rates, claims), measured: rates }
  })
}

async function rateOf(
  stack: BenchStack,
  { requestEvents, connections }: { requestEvents: number; connections: number },
  events: number,
): Promise<number> {
  const requestsMax = events / requestEvents
  const entrance = entrancesOf(stack).gateway
  const run = await ingestRun(stack, { ...entrance, connections, secondsMax: SECONDS_MAX, requestEvents, requestsMax })
  if (run.events !== events) throw new Error(`only ${run.events} of ${events} events in ${SECONDS_MAX} s`)
  return run.perSecond
}
