import { sql } from 'kysely'
import type { Database, Queryable } from '../database/connection.ts'
import { onlyRow } from '../database/rows.ts'
import { lockBatches } from '../log/batch-lock.ts'
import { KIND_OF_BATCH } from '../log/kind.ts'
import { isWide } from '../log/wide.ts'
import { insertRecent, shopperEventsOf, shoppersToTrim, trimRecent } from './shopper-recent.ts'

/** Limits of one transaction. */
const BATCHES_MAX = 64
const EVENTS_MAX = 16_000

/**
 * Brings batches to the recent events that a process fed which does not know them: first those that were fed lately, then those that
 * were fed before the table existed, from the newest to the oldest. When it is killed, the next call continues; concurrent calls take turns.
 * @returns how many batches it looked at; 0 when none is left.
 */
export function bringRecent(db: Database): Promise<number> {
  return db.transaction().execute(async (tx) => {
    const result = await sql<{ before: string }>`select next_batch_id as before from recent_progress for update`.execute(tx)
    const { before } = onlyRow(result)
    const waiting = await waitingIds(tx)
    const found = await batchesOf(tx, waiting.length > 0 ? sql`= any(${waiting}::bigint[])` : sql`< ${before}::bigint`)
    const batches = firstOf(found)
    const ids = batches.map(({ batchId }) => batchId)
    // Before their events are read, in a statement of its own: an erasure, which gives events another shopper, locks them too.
    await lockBatches(tx, sql`b.batch_id = any(${ids}::bigint[])`)
    for (const part of partsOf(batches.filter(({ isToBring }) => isToBring))) await bring(tx, part)
    if (waiting.length > 0) {
      const left = new Set(found.slice(batches.length).map(({ batchId }) => batchId))
      const done = waiting.filter((id) => !left.has(id))
      await sql`delete from recent_waiting where batch_id = any(${done}::bigint[])`.execute(tx)
      return done.length
    }
    if (ids.length > 0) await sql`update recent_progress set next_batch_id = ${ids.at(-1)}::bigint`.execute(tx)
    return ids.length
  })
}

/** Brings batches until that took so many milliseconds. @returns whether none is left. */
export async function bringRecentFor(db: Database, ms: number): Promise<boolean> {
  const endMs = performance.now() + ms
  do if ((await bringRecent(db)) === 0) return true
  while (performance.now() < endMs)
  return false
}

interface Batch {
  batchId: string
  from: Date
  to: Date
  events: number
  /** Whether it is fed and not brought. A batch that is not fed will be brought when it is. */
  isToBring: boolean
}

/** Read on its own, because a join could go through all batches to find that none waits. */
async function waitingIds(tx: Queryable): Promise<string[]> {
  const { rows } = await sql<{ batchId: string }>`
    select batch_id as "batchId" from recent_waiting order by batch_id desc limit ${BATCHES_MAX}`.execute(tx)
  return rows.map(({ batchId }) => batchId)
}

/** The batches with the largest numbers under a condition. */
async function batchesOf(tx: Queryable, condition: ReturnType<typeof sql>): Promise<Batch[]> {
  const { rows } = await sql<Batch>`
    select b.batch_id as "batchId", b.occurred_from as "from", b.occurred_to as "to", b.events,
      b.fed_at is not null and b.recent_at is null and ${KIND_OF_BATCH} = 'interaction' as "isToBring"
    from interaction_batch b where b.batch_id ${condition} order by b.batch_id desc limit ${BATCHES_MAX}`.execute(tx)
  return rows
}

/** As many batches as have at most 16,000 events to bring, and always the first one. */
function firstOf(batches: readonly Batch[]): readonly Batch[] {
  let events = 0
  const end = batches.findIndex((batch, index) => {
    events += batch.isToBring ? batch.events : 0
    return index > 0 && events > EVENTS_MAX
  })
  return end < 0 ? batches : batches.slice(0, end)
}

/** All batches together, or each alone when their events are more than a year apart, because such statements are about many months. */
function partsOf(batches: readonly Batch[]): Batch[][] {
  return isWide(boundsOf(batches)) ? batches.map((batch) => [batch]) : batches.length > 0 ? [[...batches]] : []
}

function boundsOf(batches: readonly Batch[]): { from: Date; to: Date } {
  const from = Math.min(...batches.map((batch) => batch.from.getTime()))
  const to = Math.max(...batches.map((batch) => batch.to.getTime()))
  return { from: new Date(from), to: new Date(to) }
}

/** Marks the batches, and adds their events to the recent events. */
async function bring(tx: Queryable, batches: readonly Batch[]): Promise<void> {
  const ids = batches.map(({ batchId }) => batchId)
  const { rows } = await sql<{ shopperId: string }>`
    with brought as (
      update interaction_batch set recent_at = now() where batch_id = any(${ids}::bigint[])
    ), event as materialized (${shopperEventsOf({ ids, ...boundsOf(batches) })}
    ), recent as (${insertRecent(sql`event`)})
    ${shoppersToTrim(sql`event`)}`.execute(tx)
  await trimRecent(
    tx,
    rows.map(({ shopperId }) => shopperId),
  )
}
