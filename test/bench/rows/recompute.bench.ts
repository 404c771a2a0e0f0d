import { sql } from 'kysely'
import { scheduleApi } from '../../../src/contract/services.ts'
import { DAY_MS } from '../../../src/contract/fields/time.ts'
import * as clients from '@restatedev/restate-sdk-clients'
import { createIngress } from '../../../src/ingress/clients.ts'
import { createRecomputeRunsClient } from '../../../src/ingress/recompute-runs-client.ts'
import type { Database } from '../../../src/store/database/connection.ts'
import { makePartitions, monthOf } from '../../../src/store/log/month.ts'
import { createDatabase } from '../../harness/servers/database.ts'
import { analyticsEvent, recordEvents, refreshAll } from '../../harness/items/recomputed.ts'
import { startBenchPostgres } from '../servers/bench-postgres.ts'
import { startBenchRestate } from '../servers/bench-restate.ts'
import { POOL_CONNECTIONS, withParts } from '../servers/bench-stack.ts'
import { type Claim, formatted, type RowResult } from '../measure/claim.ts'
import { interleaved, ratioOf, median } from '../measure/rounds.ts'
import { withoutTimeout } from '../servers/without-timeout.ts'
import { until } from '../../../src/main/embedded/until.ts'
import { dayOf } from '../../../src/ranking/day.ts'

const DAYS = 90
const FULL = { events: [1_000_000, 3_000_000, 10_000_000], rounds: 3, lateEvents: 3, slotMs: 15_000 }
const QUICK = { events: [5_000, 10_000, 20_000], rounds: 1, lateEvents: 1, slotMs: 1_000 }
const RATIO_MAX = 1.3
const LATE_SECONDS_MAX = 60
const RUN_MS_MAX = 10 * 60_000

/** The time to rebuild a report, and the time until one late event is in all reports. */
export function recompute(isQuick: boolean): Promise<RowResult> {
  const { events, rounds, lateEvents, slotMs } = isQuick ? QUICK : FULL
  return withParts(async (stopAtEnd) => {
    const postgres = stopAtEnd(await startBenchPostgres())
    const restate = stopAtEnd(await startBenchRestate())
    const endpoint = await restate.serve('footfall', POOL_CONNECTIONS)
    const claims: Claim[] = []
    const measured: object[] = []
    for (const count of events) {
      const { db, url, drop } = await createDatabase(postgres.url)
      await storeEvents(db, count)
      await endpoint.use(url)
      const ways = { bare: () => bareStatement(db), run: () => recomputeReport(restate.ingressUrl) }
      const seconds = await interleaved(ways, rounds)
      claims.push(ratioClaim(count, seconds))
      measured.push(seconds)
      if (count === events.at(-1)) {
        const late = await afterLateEvents(db, restate.ingressUrl, lateEvents, slotMs)
        claims.push(...lateClaims(count, late))
        measured.push(late)
      }
      await endpoint.use(null)
      await drop()
    }
    return { claims, measured: { measured } }
  })
}

/** Stores the same number of events every day until now, in the order of time: 3 sources, 240 entities, 2 currencies. */
async function storeEvents(db: Database, count: number): Promise<void> {
  await makePartitions(
    db,
    Array.from({ length: DAYS + 1 }, (_, day) => monthOf(Date.now() - day * DAY_MS)),
  )
  await withoutTimeout(db, async (unlimited) => {
    await sql`insert into event_source (slug) values ('erp'), ('shop'), ('stock')`.execute(unlimited)
    await sql`
      insert into analytics_event (occurred_at, amount, source_id, processing_ms, external_ref, entity_id, status, currency)
      select now() - ${DAYS}::int * interval '1 day' + n * (${DAYS}::int * interval '1 day' / ${count}::int), 1 + n % 10000, 1 + n % 3,
        n % 500, 'job-' || n, 'order-' || n % 240, (array['success', 'failed', 'pending'])[1 + n % 3],
        case when n % 4 = 0 then 'USD' else 'EUR' end
      from generate_series(1, ${count}::int) n`.execute(unlimited)
    await sql`
      create table bare (day date, source_id int, currency text, events bigint, timed bigint, ms bigint, longest int, amount numeric)`.execute(
      unlimited,
    )
    await sql`vacuum (analyze)`.execute(unlimited)
  })
}

/** Runs one statement with the sums of each day, source and currency. @returns seconds. */
async function bareStatement(db: Database): Promise<number> {
  return timed(() =>
    withoutTimeout(db, async (unlimited) => {
      await sql`truncate bare`.execute(unlimited)
      await sql`
        insert into bare
        select (occurred_at at time zone 'UTC')::date, source_id, currency, count(*), count(processing_ms), sum(processing_ms),
          max(processing_ms), sum(amount)
        from analytics_event where occurred_at >= ${`${dayOf(Date.now() - (DAYS - 1) * DAY_MS)}T00:00:00Z`}::timestamptz
        group by 1, 2, 3`.execute(unlimited)
    }),
  )
}

/** Runs a recomputation, as a caller sees it from the request to its end. @returns seconds. */
async function recomputeReport(ingressUrl: string): Promise<number> {
  const runs = createRecomputeRunsClient(createIngress({ url: ingressUrl }))
  const [from, to] = [dayOf(Date.now() - (DAYS - 1) * DAY_MS), dayOf(Date.now())]
  return timed(async () => {
    const { id } = await runs.start({
      report_slug: 'volume-by-period',
      window: 'day',
      date_from: from,
      date_to: to,
      actor: 'bench',
    })
    await until(async () => !['pending', 'running'].includes((await runs.status(id)).status), RUN_MS_MAX)
    const { status } = await runs.status(id)
    if (status !== 'completed') throw new Error(`the run is ${status}`)
  })
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startMs = performance.now()
  await work()
  return (performance.now() - startMs) / 1_000
}

interface Late {
  /** Until the event is in every report and window. */
  seconds: number
  /** The work of all runs that the event caused. */
  workMs: number
  runs: number
  buckets: number
}

/** Records one late event after the other, each of another day, while the task runs as in production. */
async function afterLateEvents(db: Database, ingressUrl: string, count: number, slotMs: number): Promise<Late[]> {
  await sql`update aggregate_window set retention_days = ${DAYS - 1}, refresh_interval_minutes = 1000000`.execute(db)
  await refreshAll(db, true)
  // Marks of days that are not kept.
  await sql`delete from dirty_mark`.execute(db)
  const schedule = clients.connect({ url: ingressUrl }).client(scheduleApi, 'refresh-reports')
  await schedule.Start({ every_ms: slotMs })
  const late: Late[] = []
  for (let n = 0; n < count; n++) {
    const { rows: before } = await sql<{ at: Date }>`select clock_timestamp() as at`.execute(db)
    await recordEvents(db, [analyticsEvent({ occurredAtMs: Date.now() - (20 + n) * DAY_MS })])
    const seconds = await timed(() =>
      until(async () => (await sql`select from dirty_mark`.execute(db)).rows.length === 0, RUN_MS_MAX),
    )
    const { rows } = await sql<Omit<Late, 'seconds'>>`
      select (sum(extract(epoch from finished_at - started_at)) * 1000)::float8 as "workMs", count(*)::int as runs,
        sum(total)::int as buckets
      from recompute_run where kind = 'refresh' and requested_at >= ${before[0]!.at}`.execute(db)
    late.push({ seconds, ...rows[0]! })
  }
  await schedule.Stop({})
  return late
}

function ratioClaim(count: number, { bare: alone, run }: Record<'bare' | 'run', number[]>): Claim {
  return {
    what: `recompute of volume-by-period/day, ${formatted(count)} events in ${DAYS} days ÷ the bare insert … select … group by`,
    measured: ratioOf(run, alone),
    target: { max: RATIO_MAX },
    detail: `${formatted(median(run))} s from the request to the end against ${formatted(median(alone))} s`,
  }
}

function lateClaims(count: number, late: readonly Late[]): Claim[] {
  const { runs, buckets } = late[0]!
  return [
    {
      what: `one late event into reports of ${formatted(count)} events: until every snapshot shows it, the longest`,
      measured: Math.max(...late.map(({ seconds }) => seconds)),
      unit: 's',
      target: { max: LATE_SECONDS_MAX },
      detail: late.map(({ seconds }) => `${formatted(seconds)} s`).join(', '),
    },
    {
      what: '— its work, the maximum',
      measured: Math.max(...late.map(({ workMs }) => workMs)),
      unit: 'ms',
      detail: `${runs} runs with ${buckets} buckets together: the day and the week of three reports`,
    },
  ]
}
