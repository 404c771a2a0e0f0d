import { sql } from 'kysely'
import type { Database, Queryable } from '../database/connection.ts'
import type { BatchBounds } from './batch.ts'
import { onlyRow } from '../database/rows.ts'

interface LeftBehind extends BatchBounds {
  uncounted: boolean
  unfed: boolean
}

const SWEEP_BATCHES_MAX = 1_000

/** Batches that were recorded long ago and not yet counted or fed, oldest first. */
export async function leftBehind(db: Database, olderThanMinutes: number): Promise<LeftBehind[]> {
  const { rows } = await sql<Omit<LeftBehind, 'from' | 'to'> & { from: Date; to: Date }>`
    select batch_id as "batchId", occurred_from as "from", occurred_to as "to",
      scored_at is null as uncounted, fed_at is null as unfed
    from (
      (select * from interaction_batch where scored_at is null order by batch_id limit ${SWEEP_BATCHES_MAX})
      union
      (select * from interaction_batch where fed_at is null order by batch_id limit ${SWEEP_BATCHES_MAX})
    ) waiting
    where received_at <= now() - ${olderThanMinutes} * interval '1 minute'
    order by batch_id limit ${SWEEP_BATCHES_MAX}`.execute(db)
  return rows.map((row) => ({ ...row, from: row.from.toISOString(), to: row.to.toISOString() }))
}

export interface Backlog {
  /** Batches that are not counted, not fed, or neither. */
  waitingBatches: number
  waitingEvents: number
  uncountedBatches: number
  uncountedEvents: number
  unfedBatches: number
  unfedEvents: number
  /** Age of the oldest batch that waits to be counted, and to be fed; null when none does. */
  uncountedSeconds: number | null
  unfedSeconds: number | null
  /** The older of both. */
  oldestSeconds: number | null
}

/** How much is recorded and not yet counted or fed. */
export async function backlog(db: Queryable): Promise<Backlog> {
  const result = await sql<Backlog>`
    with uncounted as (select count(*)::int as n, coalesce(sum(events), 0)::int as events, min(received_at) as oldest,
          (count(*) filter (where fed_at is null))::int as unfed, coalesce(sum(events) filter (where fed_at is null), 0)::int as "unfedEvents"
        from interaction_batch where scored_at is null),
      unfed as (select count(*)::int as n, coalesce(sum(events), 0)::int as events, min(received_at) as oldest
        from interaction_batch where fed_at is null)
    select uncounted.n + unfed.n - uncounted.unfed as "waitingBatches",
      uncounted.events + unfed.events - uncounted."unfedEvents" as "waitingEvents", uncounted.n as "uncountedBatches", uncounted.events as "uncountedEvents",
      unfed.n as "unfedBatches", unfed.events as "unfedEvents",
      extract(epoch from now() - uncounted.oldest)::float8 as "uncountedSeconds",
      extract(epoch from now() - unfed.oldest)::float8 as "unfedSeconds",
      extract(epoch from now() - least(uncounted.oldest, unfed.oldest))::float8 as "oldestSeconds"
    from uncounted cross join unfed`.execute(db)
  return onlyRow(result)
}
