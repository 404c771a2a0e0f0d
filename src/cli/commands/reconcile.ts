import { Command } from 'commander'
import { HOUR_MS } from '../../contract/fields/time.ts'
import { erasureApi } from '../../contract/services.ts'
import { adminUrlOf } from '../../main/config/addresses.ts'
import { type Config, readConfig } from '../../main/config/config.ts'
import { StartError } from '../../main/config/start-error.ts'
import { reconcileFolderOf } from '../../main/database/home-paths.ts'
import { withDatabase } from '../../main/database/with-database.ts'
import { ingressOf } from '../../main/ingress.ts'
import { compare, type Comparison, type LostCall } from '../../main/reconcile/compare.ts'
import { bringsItemsOrMerge } from '../../main/reconcile/completed-calls.ts'
import { gapIn } from '../../main/reconcile/coverage.ts'
import { keptIds } from '../../main/reconcile/kept-call.ts'
import { outageOf } from '../../main/reconcile/outage-of.ts'
import { summaryOf } from '../../main/reconcile/report.ts'
import { repair, type Repaired } from '../../main/reconcile/repair.ts'
import type { Database } from '../../store/database/connection.ts'
import { withSessionLock } from '../../store/database/locks.ts'
import { traceCall } from '../../store/log/recorded-call.ts'
import { acknowledgeTimeline, type LostFound, noteComparison, timelineState } from '../../store/log/timeline.ts'
import { printJson } from '../terminal/output.ts'
import { reconcileWith, type There } from './reconcile-from.ts'
import { asJson, printReport, type Timeline } from './reconcile-report.ts'
import { timeSpan } from './time-span.ts'

interface Options {
  since: number
  repair?: boolean
  from?: string
  acknowledge?: boolean
  json?: boolean
}

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
    .option(
      '--from <url>',
      'compare with another PostgreSQL too, such as the old primary, which is only read; --since counts back from its last call',
    )
    .option('--acknowledge', 'take the timeline of PostgreSQL for known, whatever is missing or was not compared')
    .option('--json', 'as JSON')
    .action(reconcile)
}

async function reconcile(options: Options): Promise<void> {
  const config = readConfig(process.env)
  const work = (db: Database) => reconcileOn(db, config, options)
  await withDatabase(config, { name: 'footfall reconcile' }, async (db) => {
    try {
      await (options.repair ? alone(db, work) : work(db))
    } catch (cause) {
      throw (await outageOf(cause, config)) ?? cause
    }
  })
}

/** One repair at a time, because a second one would take the calls that the first one has sent again for lost ones. */
async function alone(db: Database, work: (db: Database) => Promise<void>): Promise<void> {
  const isDone = await db.connection().execute((session) => withSessionLock(session, 'repair', () => work(db).then(() => true)))
  if (isDone === undefined) throw new StartError('Another reconcile --repair works on this database: wait until it is done.')
}

async function reconcileOn(db: Database, config: Config, options: Options): Promise<void> {
  const { since, from, json = false, repair: isRepairing = false, acknowledge: isAccepted = false } = options
  const [adminUrl, folder] = [adminUrlOf(config), reconcileFolderOf(config)]
  const ingress = ingressOf(config, { deadlineMs: DEADLINE_MS })
  // What the other database has comes first, because Restate then forgets what it kept no journal of.
  const there = from === undefined ? undefined : await reconcileWith({ config, db, ingress }, { url: from, since, isRepairing })
  const before = await withoutSettled(db, await compare(adminUrl, db, since), there)
  const repaired = isRepairing ? await repair({ adminUrl, ingress, db, folder }, before.lost) : undefined
  const unfinished = (await keptIds(folder)).length
  const isWhole = isComplete(before, repaired) && isOver(there) && unfinished === 0
  const timeline = await settleTimeline(db, { before, repaired, isWhole, isAccepted, isCompared: there !== undefined })
  process.exitCode = isWhole && timeline?.gap === undefined ? 0 : 1
  const report = { before, lost: summaryOf(before), repaired, timeline, there, unfinished, folder }
  if (json) printJson(asJson(report))
  else printReport(report)
}

/**
 * Calls of which the other database has nothing more to bring: merges and erasures, which were made here as other calls, and calls whose items were all
 * duplicates or rejected. They are not lost any more, and get their traces.
 */
async function withoutSettled(db: Database, comparison: Comparison, there: There | undefined): Promise<Comparison> {
  if (there?.brought === undefined || there.brought.refused.length > 0) return comparison
  const withoutRows = new Map(there.brought.withoutRows.map((call) => [call.invocationId, call]))
  const isSettled = ({ id, parts }: LostCall) =>
    withoutRows.has(id) && parts.every((part) => bringsItemsOrMerge(part) || part.service === erasureApi.name)
  for (const { id } of comparison.lost.filter(isSettled)) await traceCall(db, withoutRows.get(id)!)
  return { ...comparison, lost: comparison.lost.filter((call) => !isSettled(call)) }
}

/** Whether the other database has nothing that is missing here. */
function isOver(there: There | undefined): boolean {
  if (there === undefined) return true
  const { found, brought, erasedIds } = there
  if (brought !== undefined) return brought.refused.length === 0
  const unended = found.erasures.filter(({ shopperId }) => shopperId !== null)
  return found.calls.length + found.merges.length + unended.length + erasedIds === 0
}

/** Whether nothing is missing any more. */
function isComplete({ lost }: Comparison, repaired: readonly Repaired[] | undefined): boolean {
  return repaired === undefined ? lost.length === 0 : repaired.every(({ outcome }) => outcome === 'brought back')
}

/** The calls that are missing after a repair. */
function missingAfter({ lost }: Comparison, repaired: readonly Repaired[] = []): LostFound {
  const back = new Set(repaired.filter(({ outcome }) => outcome === 'brought back').map(({ id }) => id))
  return summaryOf({ lost: lost.filter(({ id }) => !back.has(id)) })
}

interface Outcome {
  before: Comparison
  repaired: readonly Repaired[] | undefined
  isWhole: boolean
  /** By --acknowledge. */
  isAccepted: boolean
  /** With another database too, which has what Restate has forgotten. */
  isCompared: boolean
}

/** Acknowledges another timeline when nothing is missing, or when the operator says so. @returns undefined when it is the known one. */
async function settleTimeline(db: Database, outcome: Outcome): Promise<Timeline | undefined> {
  const { before, repaired, isWhole, isAccepted, isCompared } = outcome
  const state = await timelineState(db)
  if (!state.isChanged) return undefined
  const gap = isCompared || isAccepted ? undefined : gapIn(before, state)
  const isAcknowledged = isAccepted || (isWhole && gap === undefined)
  if (isAcknowledged) await acknowledgeTimeline(db)
  else if (gap === undefined) await noteComparison(db, missingAfter(before, repaired))
  return { from: state.acknowledged.timeline, to: state.current.timeline, isAcknowledged, gap }
}
