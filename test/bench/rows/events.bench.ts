import { sql } from 'kysely'
import { judgeAnalyticsEvents } from '../../../src/admission/analytics-event.ts'
import { recordEvents } from '../../../src/store/reports/analytics-event.ts'
import { callOf } from '../../../src/store/log/call.ts'
import { connect, type Database } from '../../../src/store/database/connection.ts'
import { createDatabase } from '../../harness/servers/database.ts'
import { analyticsTraffic } from '../items/analytics-events.ts'
import type { BenchPostgres } from '../servers/bench-postgres.ts'
import { type BenchStack, withStack } from '../servers/bench-stack.ts'
import { claimsOfRounds, formatted, type RowResult } from '../measure/claim.ts'
import { interleaved, ratioOf, median } from '../measure/rounds.ts'
import { withoutTimeout } from '../servers/without-timeout.ts'
import { inFlight } from '../client/in-flight.ts'

const FULL = { requests: 200, rounds: 5 }
const QUICK = { requests: 50, rounds: 1 }
const WARM_UP_SHARE = 0.1
const REQUEST_EVENTS = 1_000
const CONNECTIONS = 32
const SQL_CONNECTIONS = 4
const SECONDS_MAX = 120
/** Windows of all reports together: a call with one day's events marks each of them. */
const SCOPES = 6

/** Analytics events through the gateway, against the same statements on PostgreSQL alone. */
export function events(isQuick: boolean): Promise<RowResult> {
  const { requests, rounds } = isQuick ? QUICK : FULL
  return withStack(async (stack) => {
    const part = (isWarmUp: boolean) => (isWarmUp ? requests * WARM_UP_SHARE : requests)
    const rates = await interleaved(
      {
        sql: (isWarmUp) => sqlRate(stack.postgres, part(isWarmUp)),
        gateway: (isWarmUp) => gatewayRate(stack, part(isWarmUp)),
      },
      rounds,
    )
    const claimOf = ({ sql, gateway }: typeof rates) => ({
      what: `analytics events, requests of ${formatted(REQUEST_EVENTS)}, ${CONNECTIONS} connections: gateway ÷ the same SQL without Restate`,
      measured: ratioOf(gateway, sql),
      target: { min: 0.75 },
      detail: `${formatted(median(gateway))} events/s against ${formatted(median(sql))} over ${SQL_CONNECTIONS} connections`,
    })
    return { claims: claimsOfRounds(rates, (rounds) => [claimOf(rounds)]), measured: rates }
  })
}

/** Events per second of the statements alone: the events are judged before the clock starts. */
async function sqlRate(postgres: BenchPostgres, requests: number): Promise<number> {
  const next = analyticsTraffic('sql')
  const chunks = Array.from({ length: requests }, () => {
    const items = Array.from({ length: REQUEST_EVENTS }, next)
    return judgeAnalyticsEvents(items, Date.now()).rows
  })
  return inDatabase(postgres, requests, async (url) => {
    const db = connect({ url, name: 'bench sql', connectionsMax: SQL_CONNECTIONS })
    return async () => {
      await inFlight(chunks, CONNECTIONS, async (chunk, index) => {
        await recordEvents(db, callOf(`call ${index}`, Buffer.from(String(index))), chunk)
      })
      await db.destroy()
    }
  })
}

async function gatewayRate({ postgres, endpoint, gateway, load }: BenchStack, requests: number): Promise<number> {
  const url = `${gateway.url}/api/v1/analytics-events`
  const prepare = async (databaseUrl: string) => {
    await endpoint.use(databaseUrl)
    const job = { connections: CONNECTIONS, secondsMax: SECONDS_MAX, requestsMax: requests }
    return load.prepare({ kind: 'call', of: 'events', url, requestEvents: REQUEST_EVENTS, ...job })
  }
  return inDatabase(postgres, requests, prepare, () => endpoint.use(null))
}

/** Works in a fresh database after a checkpoint. @returns events per second. @throws unless each event was recorded once. */
async function inDatabase(
  postgres: BenchPostgres,
  requests: number,
  prepare: (url: string) => Promise<() => Promise<unknown>>,
  release: () => Promise<void> = async () => undefined,
): Promise<number> {
  const { db, url, drop } = await createDatabase(postgres.url)
  try {
    const work = await prepare(url)
    await withoutTimeout(db, (unlimited) => sql`checkpoint`.execute(unlimited))
    const startMs = performance.now()
    await work()
    const perSecond = ((requests * REQUEST_EVENTS) / (performance.now() - startMs)) * 1_000
    await mustHaveRecorded(db, requests * REQUEST_EVENTS)
    return perSecond
  } finally {
    await release()
    await drop()
  }
}

async function mustHaveRecorded(db: Database, count: number): Promise<void> {
  const { rows } = await sql<{ stored: number; scopes: number }>`
    select (select count(*) from analytics_event)::int as stored,
      (select count(distinct (report_slug, bucket_window)) from dirty_mark)::int as scopes`.execute(db)
  const { stored, scopes } = rows[0]!
  if (stored !== count || scopes !== SCOPES) throw new Error(`of ${count} events: ${JSON.stringify(rows[0])}`)
}
