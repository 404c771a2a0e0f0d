import { DAY_MS, instantOf } from '../../../src/contract/fields/time.ts'
import { createDatabase } from '../../harness/servers/database.ts'
import { startBenchGateway } from '../servers/bench-gateway.ts'
import { startBenchPostgres } from '../servers/bench-postgres.ts'
import { withParts } from '../servers/bench-stack.ts'
import { type Claim, claimsOfRounds, formatted, type RowResult } from '../measure/claim.ts'
import type { Page } from '../client/job.ts'
import { startLoad } from '../client/start-load.ts'
import { NO_RESTATE, type ReadRun, readRun } from '../measure/read-run.ts'
import { type ReportData, storeReportData } from '../items/report-data.ts'
import { interleaved, series, median } from '../measure/rounds.ts'

const DAYS = 366
const SHAPE = { days: DAYS + 30, entities: 240 }
const FULL = { events: [1_000_000, 10_000_000], seconds: 5, rounds: 5 }
const QUICK = { events: [10_000, 50_000], seconds: 0.5, rounds: 1 }
const CONNECTIONS = 8
const P99_MS_MAX = 20
const RANKING_P99_MS_MAX = 50

/** Reports over a year from their snapshots, without a cache, with increasing numbers of events behind them. */
export function reports(isQuick: boolean): Promise<RowResult> {
  const { events, seconds, rounds } = isQuick ? QUICK : FULL
  return withParts(async (stopAtEnd) => {
    const postgres = stopAtEnd(await startBenchPostgres())
    const load = stopAtEnd(startLoad())
    const ways: Record<string, () => Promise<ReadRun>> = {}
    for (const count of events) {
      const { db, url: databaseUrl } = await createDatabase(postgres.url)
      stopAtEnd({ stop: () => db.destroy() })
      const data: ReportData = { ...SHAPE, events: count }
      await storeReportData(db, data)
      const gateway = stopAtEnd(await startBenchGateway({ databaseUrl, restate: NO_RESTATE }))
      for (const kind of KINDS) {
        const job = { pages: PAGES[kind], secondsMax: seconds, connections: CONNECTIONS }
        ways[`${kind} ${count}`] = () => readRun(load, gateway.url, job)
      }
    }
    const runs = await interleaved(ways, rounds)
    return {
      claims: claimsOfRounds(runs, (rounds) => events.flatMap((count, place) => claimsOf(rounds, count, place === 0))),
      measured: runs,
    }
  })
}

const KINDS = ['many', 'ranking'] as const
/** Ranges that end at different days of the last month, so that the requests differ. */
const PAGES: Record<(typeof KINDS)[number], Page[]> = {
  many: [
    'volume-by-period/run?',
    'volume-by-period/run?breakdown=source&',
    'status-counts/run?',
    'status-counts/run?breakdown=period&',
  ].flatMap((report) => [0, 7, 14, 21].flatMap((ago) => [0, 100].map((offset) => pageOf(`${report}offset=${offset}`, ago)))),
  ranking: [0, 7, 14, 21].map((ago) => pageOf('top-entities/run?offset=0', ago)),
}

function pageOf(report: string, daysAgo: number): Page {
  const endMs = Date.now() - daysAgo * DAY_MS
  const [from, to] = [endMs - (DAYS - 1) * DAY_MS, endMs].map((ms) => instantOf(ms).slice(0, 10))
  return { path: `/api/v1/reports/${report}&date_from=${from}&date_to=${to}` }
}

function claimsOf(runs: Record<string, ReadRun[]>, events: number, isFirst: boolean): Claim[] {
  const latency = (kind: string, part: 'p50' | 'p99') => median(series(runs[`${kind} ${events}`]!, (run) => run.latency[part]))
  const detailOf = (kind: string) =>
    `p50 ${formatted(latency(kind, 'p50'))} ms; ${formatted(median(series(runs[`${kind} ${events}`]!, (run) => run.perSecond)))} answers/s`
  const behind = `${formatted(events)} events behind it`
  return [
    {
      what: isFirst
        ? `volume-by-period and status-counts over ${DAYS} days by day, no cache, ${CONNECTIONS} connections, ${behind}: p99`
        : `— ${behind}`,
      measured: latency('many', 'p99'),
      unit: 'ms',
      target: { max: P99_MS_MAX },
      detail: detailOf('many'),
    },
    {
      what: `— top-entities of ${SHAPE.entities}, ${behind}: p99`,
      measured: latency('ranking', 'p99'),
      unit: 'ms',
      target: { max: RANKING_P99_MS_MAX },
      detail: detailOf('ranking'),
    },
  ]
}
