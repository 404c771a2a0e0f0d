import { sql } from 'kysely'
import type { Queryable } from '../database/connection.ts'
import { onlyRow } from '../database/rows.ts'

/** Which PostgreSQL this is. Another timeline or another system follows a failover or a restore, and commits may be lost. */
export interface ServerIdentity {
  timeline: number
  systemIdentifier: string
}

/** A comparison with Restate on another timeline than the acknowledged one. */
export interface LostFound {
  comparedAt: Date
  calls: number
  from: Date | null
  to: Date | null
  byHandler: Record<string, number>
}

export interface TimelineState {
  current: ServerIdentity
  acknowledged: ServerIdentity
  isChanged: boolean
  /** The latest comparison on the current timeline, while it is not acknowledged. */
  found: LostFound | undefined
}

/** After a promotion the control file has the timeline of the last checkpoint; the name of a log file has the current one. */
const CURRENT = sql.raw(`(
  select ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::integer as timeline, system_identifier::text
  from pg_control_system())`)

/** The timeline of PostgreSQL next to the one that an operator knows about. Only a primary can say it. */
export async function timelineState(db: Queryable): Promise<TimelineState> {
  const row = onlyRow(
    await sql<StateRow>`
      select current.timeline, current.system_identifier as "systemIdentifier", d.timeline as "acknowledgedTimeline",
        d.system_identifier as "acknowledgedIdentifier",
        case when d.compared_timeline = current.timeline then d.compared_at end as "comparedAt",
        d.lost_calls as calls, d.lost_from as "from", d.lost_to as "to", d.lost_by_handler as "byHandler"
      from database_timeline d cross join ${CURRENT} current`.execute(db),
  )
  const { timeline, systemIdentifier, comparedAt, calls, from, to, byHandler } = row
  const acknowledged = { timeline: row.acknowledgedTimeline, systemIdentifier: row.acknowledgedIdentifier }
  const isChanged = timeline !== acknowledged.timeline || systemIdentifier !== acknowledged.systemIdentifier
  const found = isChanged && comparedAt ? { comparedAt, calls: calls ?? 0, from, to, byHandler: byHandler ?? {} } : undefined
  return { current: { timeline, systemIdentifier }, acknowledged, isChanged, found }
}

interface StateRow extends ServerIdentity {
  acknowledgedTimeline: number
  acknowledgedIdentifier: string
  comparedAt: Date | null
  calls: number | null
  from: Date | null
  to: Date | null
  byHandler: Record<string, number> | null
}

/** Notes what a comparison on the current timeline found. */
export async function noteComparison(
  db: Queryable,
  { calls, from, to, byHandler }: Omit<LostFound, 'comparedAt'>,
): Promise<void> {
  await sql`
    update database_timeline d set compared_at = now(), compared_timeline = current.timeline, lost_calls = ${calls}::integer,
      lost_from = ${from}::timestamptz, lost_to = ${to}::timestamptz, lost_by_handler = ${JSON.stringify(byHandler)}::jsonb
    from ${CURRENT} current`.execute(db)
}

/** An operator knows about the current timeline now. */
export async function acknowledgeTimeline(db: Queryable): Promise<void> {
  await sql`
    update database_timeline d set acknowledged_at = now(), timeline = current.timeline, system_identifier = current.system_identifier,
      compared_at = null, compared_timeline = null, lost_calls = null, lost_from = null, lost_to = null, lost_by_handler = null
    from ${CURRENT} current
    where (d.timeline, d.system_identifier) is distinct from (current.timeline, current.system_identifier)`.execute(db)
}
