import { isDeepStrictEqual } from 'node:util'
import { sql } from 'kysely'
import type { MetricHistory, NextState } from '../../contract/metric-history.ts'
import type { MetricState } from '../../contract/product-metrics.ts'
import { instantOf } from '../../contract/fields/time.ts'
import type { Database, Queryable } from '../database/connection.ts'
import { readStates } from './metric-state.ts'

/** The shortest time between two states of a key, because a hot category would otherwise have one per fold. */
const STATE_MS_MIN = 60_000
export const CLAIMED_KEYS_MAX = 500

/**
 * Adds the states of keys that changed to the history. A state is chosen with its time and committed before it is kept, so that a repeated
 * attempt keeps the same one. @returns how many keys it worked on; 0 when no key is due.
 */
export async function recordStates(db: Database, history: MetricHistory): Promise<number> {
  const claimed = await db.transaction().execute((tx) => claimStates(tx))
  const pending = await pendingStates(db)
  await history.keep(pending)
  await settleStates(db, pending)
  return claimed + pending.length
}

/** Chooses the next state of keys that are due. A fold waits for the locks, and makes its keys due again. */
async function claimStates(tx: Queryable): Promise<number> {
  const { rows: due } = await sql<{ key: string; recorded: MetricState | null }>`
    select key, recorded from product_metric_change
    where is_due and pending_at is null and (recorded_at is null or recorded_at <= now() - ${STATE_MS_MIN} * interval '1 ms')
    order by key limit ${CLAIMED_KEYS_MAX} for update skip locked`.execute(tx)
  if (due.length === 0) return 0
  const states = await readStates(
    tx,
    due.map(({ key }) => key),
  )
  const claims = due.map(({ key, recorded }) => {
    const { state, readAtMs } = states.get(key)!
    return recorded !== null && isSame(state, recorded) ? { key } : { key, state, at: instantOf(readAtMs) }
  })
  await sql`
    update product_metric_change c set is_due = false, pending = r.state, pending_at = r.at
    from json_to_recordset(${JSON.stringify(claims)}::json) as r (key text, state jsonb, at timestamptz)
    where c.key = r.key`.execute(tx)
  return due.length
}

/** Whether two states have the same numbers, whenever they were reached. */
function isSame(one: MetricState, other: MetricState): boolean {
  return isDeepStrictEqual({ ...one, last_updated: null }, { ...other, last_updated: null })
}

async function pendingStates(db: Database): Promise<NextState[]> {
  const { rows } = await sql<{
    key: string
    at: Date
    state: MetricState
    replacedAt: Date | null
    replaced: MetricState | null
  }>`
    select key, pending_at as at, pending as state, recorded_at as "replacedAt", recorded as replaced
    from product_metric_change where pending_at is not null order by key limit ${CLAIMED_KEYS_MAX}`.execute(db)
  return rows.map(({ key, at, state, replacedAt, replaced }) => ({
    ...{ key, atMs: at.getTime(), state },
    replaced: replacedAt === null || replaced === null ? undefined : { atMs: replacedAt.getTime(), state: replaced },
  }))
}

/** Locks in key order, as a fold does. */
async function settleStates(db: Database, states: readonly NextState[]): Promise<void> {
  const kept = states.map(({ key, atMs }) => ({ key, at: instantOf(atMs) }))
  await sql`
    with kept as materialized (
      select l.key, r.at from json_to_recordset(${JSON.stringify(kept)}::json) as r (key text, at timestamptz)
      join product_metric_change l on l.key = r.key order by l.key for update of l
    )
    update product_metric_change c set recorded = c.pending, recorded_at = c.pending_at, pending = null, pending_at = null
    from kept where c.key = kept.key and c.pending_at = kept.at`.execute(db)
}
