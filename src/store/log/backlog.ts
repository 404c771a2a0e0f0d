import { sql } from 'kysely'
import type { Store } from '../database/connection.ts'

/** A recorded batch and the first and last instant of its events, as RFC 3339 in UTC. */
export interface BatchBounds {
  batchId: string
  from: string
  to: string
}

export interface LeftBehind extends BatchBounds {
  unscored: boolean
  unfed: boolean
}

export const SWEEP_BATCHES_MAX = 1_000

/** Batches that were recorded long ago and not yet counted or fed, oldest first. */
export async function leftBehind(db: Store, olderThanMinutes: number): Promise<LeftBehind[]> {
  const { rows } = await sql<Omit<LeftBehind, 'from' | 'to'> & { from: Date; to: Date }>`
    select batch_id as "batchId", occurred_from as "from", occurred_to as "to",
      scored_at is null as unscored, fed_at is null as unfed
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
  unscoredBatches: number
  unscoredEvents: number
  unfedBatches: number
  unfedEvents: number
  /** Age of the oldest batch that waits to be counted, and to be fed; null when none does. */
  unscoredSeconds: number | null
  unfedSeconds: number | null
  /** The older of both. */
  oldestSeconds: number | null
}

/** How much was recorded and is not yet counted or fed. */
export async function backlog(db: Store): Promise<Backlog> {
  const { rows } = await sql<Backlog>`
    with unscored as (select count(*)::int as n, coalesce(sum(events), 0)::int as events, min(received_at) as oldest
        from interaction_batch where scored_at is null),
      unfed as (select count(*)::int as n, coalesce(sum(events), 0)::int as events, min(received_at) as oldest
        from interaction_batch where fed_at is null)
    select unscored.n as "unscoredBatches", unscored.events as "unscoredEvents",
      unfed.n as "unfedBatches", unfed.events as "unfedEvents",
      extract(epoch from now() - unscored.oldest)::float8 as "unscoredSeconds",
      extract(epoch from now() - unfed.oldest)::float8 as "unfedSeconds",
      extract(epoch from now() - least(unscored.oldest, unfed.oldest))::float8 as "oldestSeconds"
    from unscored cross join unfed`.execute(db)
  return rows[0]!
}
