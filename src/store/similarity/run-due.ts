import { sql } from 'kysely'
import { SYSTEM_ACTOR } from '../audit/audit-entry.ts'
import type { Database } from '../database/connection.ts'
import { RunIsOpenError } from '../runs/run-machine.ts'
import { findSimilarityRun } from './run-list.ts'
import { requestSimilarityRun } from './run-machine.ts'

/** Fewer say little. */
const INTERACTIONS_MIN = 1_000
/** After a run without a version, e.g. one that failed or was cancelled. */
const AGAIN_HOURS = 1

/**
 * Requests a run when the last version is older than so many hours, or when the log has its first 1,000 interactions and no version has
 * them. A repeated attempt finds its own run. Reads a few rows by their keys, and up to 1,000 of the log for a version of fewer events.
 * @returns whether the run of this id is to be executed.
 */
export async function requestDueRun(db: Database, runId: string, everyHours: number): Promise<boolean> {
  if ((await findSimilarityRun(db, runId)) !== undefined) return true
  if (everyHours === 0 || !(await isDue(db, everyHours))) return false
  try {
    await requestSimilarityRun(db, runId, { kind: 'scheduled', actor: SYSTEM_ACTOR })
    return true
  } catch (error) {
    if (error instanceof RunIsOpenError) return false
    throw error
  }
}

interface Newest {
  isOld: boolean | null
  isSmall: boolean
  batchTo: string | null
}

/** In several statements, because Citus reads no log for each row of another table. */
async function isDue(db: Database, everyHours: number): Promise<boolean> {
  const { rows } = await sql<Newest>`
    select newest.made_at <= now() - ${everyHours}::int * interval '1 hour' as "isOld",
      coalesce(newest.events, 0) < ${INTERACTIONS_MIN} as "isSmall", newest.batch_to as "batchTo"
    from similarity_current c left join lateral (
        select made_at, events, batch_to from similarity_version v where v.version in (c.version, c.previous)
        order by made_at desc limit 1) newest on true
    where not exists (
        select from similarity_run where status in ('pending', 'running')
          or status in ('failed', 'cancelled') and requested_at > now() - ${AGAIN_HOURS}::int * interval '1 hour')`.execute(db)
  const newest = rows[0]
  if (newest === undefined) return false
  if (newest.isOld) return true
  if (!newest.isSmall || !(await hasInteractions(db, sql`true`))) return false
  return newest.batchTo === null || !(await hasInteractions(db, sql`batch_id <= ${newest.batchTo}::bigint`))
}

/** Whether the log has 1,000 interactions of some batches. */
async function hasInteractions(db: Database, isOfBatches: ReturnType<typeof sql>): Promise<boolean> {
  const { rows } = await sql`
    select from interaction where ${isOfBatches} offset ${INTERACTIONS_MIN - 1} limit 1`.execute(db)
  return rows.length > 0
}
