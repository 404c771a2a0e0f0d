import { Command } from 'commander'
import { adminUrlOf } from '../../main/config/addresses.ts'
import { readConfig } from '../../main/config/config.ts'
import { reconcileFolderOf } from '../../main/database/home-paths.ts'
import { withDatabase } from '../../main/database/with-database.ts'
import { ingressOf } from '../../main/ingress.ts'
import { compare, type Comparison } from '../../main/reconcile/compare.ts'
import { keptCalls } from '../../main/reconcile/kept-call.ts'
import { type LostSummary, summaryOf } from '../../main/reconcile/report.ts'
import { repair, type Repaired } from '../../main/reconcile/repair.ts'
import type { Database } from '../../store/database/connection.ts'
import { acknowledgeTimeline, timelineState } from '../../store/log/timeline.ts'
import { countText, numberedText } from '../terminal/count.ts'
import { print, printJson } from '../terminal/output.ts'
import { timeSpan } from './time-span.ts'

interface Options {
  since: number
  repair?: boolean
  json?: boolean
}

const HOUR_MS = 3_600_000
/** A body of 16 MiB may wait for others in PostgreSQL. */
const DEADLINE_MS = 60_000

export function reconcileCommand(): Command {
  return new Command('reconcile')
    .description(
      'Compare the calls that Restate has completed with what PostgreSQL has, after a failover or a restore. Exit 0 when nothing is missing, 1 otherwise.',
    )
    .option(
      '--since <span>',
      'how far back, such as 90s, 15m, 1h or 2d; Restate forgets most calls after an hour',
      timeSpan,
      HOUR_MS,
    )
    .option('--repair', 'bring missing calls back from their journals, and have Restate forget those without')
    .option('--json', 'as JSON')
    .action(reconcile)
}

async function reconcile({ since, json = false, repair: isRepairing = false }: Options): Promise<void> {
  const config = readConfig(process.env)
  const adminUrl = adminUrlOf(config)
  const folder = reconcileFolderOf(config)
  await withDatabase(config, { name: 'footfall reconcile' }, async (db) => {
    const before = await compare(adminUrl, db, since)
    const ingress = ingressOf(config, { deadlineMs: DEADLINE_MS })
    const repaired = isRepairing ? await repair({ adminUrl, ingress, db, folder }, before.lost) : undefined
    const isWhole = isComplete(before, repaired) && (isRepairing || (await keptCalls(folder)).length === 0)
    const timeline = await settleTimeline(db, isWhole && before.lost.length === 0)
    process.exitCode = isWhole ? 0 : 1
    const report = { before, lost: summaryOf(before), repaired, timeline }
    if (json) printJson(asJson(report))
    else printReport(report)
  })
}

/** Whether nothing is missing any more. */
function isComplete({ lost }: Comparison, repaired: readonly Repaired[] | undefined): boolean {
  return repaired === undefined ? lost.length === 0 : repaired.every(({ outcome }) => outcome === 'brought back')
}

interface Timeline {
  from: number
  to: number
  isAcknowledged: boolean
}

/** Acknowledges another timeline when nothing is missing. @returns undefined when it is the known one. */
async function settleTimeline(db: Database, isNothingMissing: boolean): Promise<Timeline | undefined> {
  const { isChanged, acknowledged, current } = await timelineState(db)
  if (!isChanged) return undefined
  if (isNothingMissing) await acknowledgeTimeline(db)
  return { from: acknowledged.timeline, to: current.timeline, isAcknowledged: isNothingMissing }
}

interface Report {
  before: Comparison
  lost: LostSummary
  repaired: readonly Repaired[] | undefined
  timeline: Timeline | undefined
}

function asJson({ before, lost, repaired, timeline }: Report) {
  return {
    since: new Date(before.fromMs).toISOString(),
    compared: before.compared,
    lost: lost.calls,
    lost_from: lost.from,
    lost_to: lost.to,
    lost_by_handler: lost.byHandler,
    waiting: before.waiting,
    unchecked: before.unchecked,
    ...(repaired !== undefined && { repaired }),
    timeline: timeline ?? null,
  }
}

function printReport({ before, lost, repaired, timeline }: Report): void {
  const calls = `Restate completed ${numberedText(before.compared, 'call')} since ${new Date(before.fromMs).toISOString()}`
  if (lost.calls === 0) print(`${calls}, and PostgreSQL has all of them.`)
  else {
    print(
      `${calls}. PostgreSQL lacks ${countText(lost.calls)} of them, completed from ${lost.from!.toISOString()} to ${lost.to!.toISOString()}:`,
    )
    for (const [handler, count] of Object.entries(lost.byHandler)) print(`  ${handler}: ${countText(count)}`)
  }
  if (before.waiting > 0) print(`${numberedText(before.waiting, 'call')} wait in Restate for PostgreSQL, and are not lost.`)
  if (before.unchecked > 0)
    print(`${numberedText(before.unchecked, 'call')} of an earlier release left no trace, and were not compared.`)
  if (repaired !== undefined) printRepaired(repaired)
  else if (lost.calls > 0) print('reconcile --repair brings back what Restate kept.')
  if (timeline !== undefined) print(timelineSentence(timeline))
}

function printRepaired(repaired: readonly Repaired[]): void {
  const ofOutcome = (outcome: Repaired['outcome']) => repaired.filter((each) => each.outcome === outcome)
  print(`Brought back: ${numberedText(ofOutcome('brought back').length, 'call')}.`)
  for (const each of repaired) {
    if (each.outcome === 'refused')
      print(`Refused now: ${each.handler} ${each.id}: ${each.message}. Its body is in ${each.file}.`)
  }
  const forgotten = ofOutcome('forgotten')
  if (forgotten.length === 0) return
  const times = forgotten.map(({ completedAt }) => completedAt).toSorted()
  print(
    `Restate kept no journal of ${numberedText(forgotten.length, 'call')}, completed from ${times[0]} to ${times.at(-1)}: import your own archive of that time, or read the old database with --from.`,
    'Clients that send one of them again with its Idempotency-Key have it recorded.',
  )
}

function timelineSentence({ from, to, isAcknowledged }: Timeline): string {
  const what = `PostgreSQL changed its timeline from ${from} to ${to}`
  return isAcknowledged
    ? `${what}, which is acknowledged now.`
    : `${what}: reconcile again acknowledges it when nothing is missing.`
}
