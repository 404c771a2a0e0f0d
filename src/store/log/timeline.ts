import { sql } from 'kysely'
import type { Queryable } from '../database/connection.ts'
import { onlyRow } from '../database/rows.ts'

/** Which PostgreSQL this is. Another timeline or another system follows a failover or a restore, and commits may be lost. */
export interface ServerIdentity {
  timeline: number
  systemIdentifier: string
}

/** Where the log of PostgreSQL ended at some time. On one timeline it only grows, unless an older copy was put in its place. */
export interface LogEnd extends ServerIdentity {
  lsn: string
}

/** A comparison with Restate since the timeline changed. */
export interface LostFound {
  calls: number
  from: Date | null
  to: Date | null
  /** By `Service.Handler`. */
  byHandler: Record<string, number>
}

export interface TimelineState {
  current: ServerIdentity
  acknowledged: ServerIdentity
  /** Whether it is another timeline or system than the acknowledged one, or went back, so that commits may be lost. */
  isChanged: boolean
  /** Seconds since that was noticed; null when it was not. */
  noticedSeconds: number | null
  /** The latest comparison since then. */
  found: (LostFound & { comparedAt: Date }) | undefined
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
        d.system_identifier as "acknowledgedIdentifier", extract(epoch from now() - d.noticed_at)::float8 as "noticedSeconds",
        d.compared_at as "comparedAt", d.lost_calls as calls, d.lost_from as "from", d.lost_to as "to", d.lost_by_handler as "byHandler"
      from database_timeline d cross join ${CURRENT} current`.execute(db),
  )
  const { timeline, systemIdentifier, noticedSeconds, comparedAt, calls, from, to, byHandler } = row
  const acknowledged = { timeline: row.acknowledgedTimeline, systemIdentifier: row.acknowledgedIdentifier }
  const isOther = timeline !== acknowledged.timeline || systemIdentifier !== acknowledged.systemIdentifier
  const found = comparedAt === null ? undefined : { comparedAt, calls: calls ?? 0, from, to, byHandler: byHandler ?? {} }
  return {
    current: { timeline, systemIdentifier },
    acknowledged,
    isChanged: isOther || noticedSeconds !== null,
    noticedSeconds,
    found,
  }
}

interface StateRow extends ServerIdentity {
  acknowledgedTimeline: number
  acknowledgedIdentifier: string
  noticedSeconds: number | null
  comparedAt: Date | null
  calls: number | null
  from: Date | null
  to: Date | null
  byHandler: Record<string, number> | null
}

/**
 * Notices that PostgreSQL is on another timeline than the acknowledged one, or that its log ends before the place where it ended once. That place is
 * kept elsewhere, because it would go back with PostgreSQL. @returns where the log ends now.
 */
export async function noticeChange(db: Queryable, before: LogEnd | null): Promise<LogEnd> {
  const result = await sql<LogEnd>`
    with current as materialized (select *, pg_current_wal_flush_lsn() as lsn from ${CURRENT} current), noticed as (
      update database_timeline d set noticed_at = now() from current
      where d.noticed_at is null and ((d.timeline, d.system_identifier) <> (current.timeline, current.system_identifier)
        or (${before?.timeline ?? null}::integer, ${before?.systemIdentifier ?? null}::text) = (current.timeline, current.system_identifier)
          and current.lsn < ${before?.lsn ?? null}::pg_lsn)
    )
    select timeline, system_identifier as "systemIdentifier", lsn::text as lsn from current`.execute(db)
  return onlyRow(result)
}

/** Notes what a comparison found. */
export async function noteComparison(db: Queryable, { calls, from, to, byHandler }: LostFound): Promise<void> {
  await sql`
    update database_timeline set compared_at = now(), lost_calls = ${calls}::integer, lost_from = ${from}::timestamptz,
      lost_to = ${to}::timestamptz, lost_by_handler = ${JSON.stringify(byHandler)}::jsonb`.execute(db)
}

/** An operator knows about the current timeline now. */
export async function acknowledgeTimeline(db: Queryable): Promise<void> {
  await sql`
    update database_timeline d set acknowledged_at = now(), timeline = current.timeline, system_identifier = current.system_identifier,
      noticed_at = null, compared_at = null, lost_calls = null, lost_from = null, lost_to = null, lost_by_handler = null
    from ${CURRENT} current`.execute(db)
}
