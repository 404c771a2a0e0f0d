import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'kysely'
import { DecidedError } from '../../contract/decided-error.ts'
import { kindsWith } from '../../contract/kinds.ts'
import type { VerifyResponse } from '../../contract/verify.ts'
import { cancellable } from '../database/cancellable.ts'
import type { Database, Queryable } from '../database/connection.ts'
import { onlyRow } from '../database/rows.ts'
import { allowLongStatements } from '../database/transaction.ts'
import { openRepair } from '../popularity/trending-window.ts'
import { AGGREGATES } from './aggregates.ts'
import { DRIFT_MAX, type Finding, joined, type LogState } from './drift.ts'
import { restoredDrift } from './restored-drift.ts'
import { similarityDrift } from './similarity-drift.ts'

interface VerifyOptions {
  /** How long it waits for an open repair. */
  patienceMs?: number
  /** Cancels the running statement. */
  signal?: AbortSignal
  /** Called before each part, and at the end. */
  onProgress?: (progress: ProofProgress) => void
}

/** How far a proof is. */
export interface ProofProgress {
  /** Parts that are proved, and all parts. */
  done: number
  total: number
  /** The part that is being proved: a table, or what else `PROOF_STEPS` names. */
  step: string
}

const PROVED = AGGREGATES.flatMap(({ table, prove }) => (prove === undefined ? [] : [{ table, prove }]))

/** The parts of the proof, in their order. */
export const PROOF_STEPS: readonly string[] = ['log', ...PROVED.map(({ table }) => table), 'similar products', 'restored months']

const REPAIR_WAIT_MS_MAX = 10_000
const REPAIR_POLL_MS = 100

/**
 * Replays the log against every aggregate in one snapshot, and lists the cells that differ. Only counted batches are replayed against
 * popularity, only fed ones against the profiles, and only brought ones against the recent events. It waits for an open repair of
 * trending, because trending differs during one. Costs six passes over the log, one of which sorts it by shopper, one over every
 * aggregate and six over the analytics events, and settles every payment again, one over the catalog,
 * and one over the events that came in the last week; a comparison that finds something costs twice. Of similar products a sample is proved, which costs two
 * more passes that sort the log.
 *
 * Events from before the horizon are gone from the log. Hours and days that begin before it are taken as they are, unless their month was
 * restored from the archive: then their events are counted again, and compared. With them:
 * - every product's score, trending and counters are still proved, as the sum of its hours and days, and so is its last interaction,
 *   to the hour when that was before the horizon; date_updated can only be bounded from below;
 * - every profile must have at least what is replayed, with the same last_at, and without a replayed event a last_at before the
 *   horizon; and all profiles together must have, per product and event type, what the hours and days have;
 * - every recent event is proved, because those from before the horizon are left out everywhere.
 * So a changed count is found, in a profile by its product and type. Not found are a decayed sum from before both the horizon and
 * the trending window, and a last_at that stays before the horizon.
 */
export async function verify(
  db: Database,
  { patienceMs = REPAIR_WAIT_MS_MAX, signal, onProgress = () => undefined }: VerifyOptions = {},
): Promise<VerifyResponse> {
  for (let waitedMs = 0; ; waitedMs += REPAIR_POLL_MS) {
    const answer = await db
      .transaction()
      .setIsolationLevel('repeatable read')
      .setAccessMode('read only')
      .execute((tx) => replay(signal ? cancellable(tx, signal) : tx, onProgress))
    if (answer !== undefined) return answer
    if (waitedMs >= patienceMs) throw new DecidedError('unavailable', 'the trending window is being moved; try again')
    await sleep(REPAIR_POLL_MS, undefined, { signal })
  }
}

/** What is left of the log. A statement for each table, because Citus refuses subqueries about tables of several groups. */
async function stateOfLog(tx: Queryable): Promise<LogState & { events: number; analyticsEvents: number }> {
  const one = async <T>(query: ReturnType<typeof sql>) =>
    onlyRow(await sql<{ value: T }>`select (${query}) as value`.execute(tx)).value
  const horizon = await one<Date>(sql`select horizon from log_horizon`)
  const countOf = async (table: string) =>
    Number(await one<string>(sql`select count(*) from ${sql.table(table)} where occurred_at >= ${horizon}`))
  let events = 0
  for (const kind of kindsWith('isBatched')) events += await countOf(kind)
  return {
    ...{ horizon, events, analyticsEvents: await countOf('analytics_event') },
    isCut: await one<boolean>(sql`exists (select from product_cell where hour < ${horizon})`),
    hasDays:
      (await one<boolean>(sql`exists (select from product_day)`)) ||
      (await one<boolean>(sql`exists (select from popularity_rules where rolled_to > '2000-01-01')`)),
  }
}

async function replay(tx: Queryable, onProgress: (progress: ProofProgress) => void): Promise<VerifyResponse | undefined> {
  const next = (step: string) => onProgress({ done: PROOF_STEPS.indexOf(step), total: PROOF_STEPS.length, step })
  await allowLongStatements(tx)
  if ((await openRepair(tx)) !== undefined) return undefined
  next('log')
  const { events, analyticsEvents, ...log } = await stateOfLog(tx)
  const findings: Finding[] = []
  for (const { table, prove } of PROVED) {
    next(table)
    findings.push(await prove(tx, log))
  }
  next('similar products')
  const similarity = await similarityDrift(tx)
  next('restored months')
  const restored = await restoredDrift(tx)
  const { cells, driftCount, drift } = joined([...findings, restored.finding, similarity.finding])
  onProgress({ done: PROOF_STEPS.length, total: PROOF_STEPS.length, step: PROOF_STEPS.at(-1)! })
  return {
    drift: drift.slice(0, DRIFT_MAX),
    drift_count: driftCount,
    cells,
    events,
    analytics_events: analyticsEvents,
    horizon: log.horizon.toISOString(),
    ...(restored.months > 0 && { restored_months: restored.months }),
    ...(similarity.proof && { similarity: similarity.proof }),
  }
}
