import { sql } from 'kysely'
import type { BatchRef } from '../log/batch.ts'
import type { Database, Queryable } from '../database/connection.ts'
import { claimGroup, type GroupSize, inGroupOrAlone, isTaken, LOST, NOTHING, sizeOf } from '../log/group.ts'

/**
 * Adds a recorded batch to the shopper profiles once, together with waiting batches, as counting does.
 * @returns how much was fed; nothing when the batch was fed before, and LOST when the log does not have it.
 */
export async function feedBatch(db: Database, own: BatchRef): Promise<GroupSize | typeof LOST> {
  return inGroupOrAlone((othersMax) =>
    db.transaction().execute(async (tx) => {
      const group = await claimGroup(tx, own, { done: 'fed_at', othersMax })
      if (group === undefined) return NOTHING
      if (group === LOST) return LOST
      await sql`
      with fed as (
        update interaction_batch set fed_at = now() where batch_id = any(${group.ids}::bigint[])
      )
      insert into shopper_product as s (shopper_id, product_id, event_type, events, last_at)
      select ${shopperOf(sql`i.account_id`, sql`i.session_id`)}, i.ref_id, i.event_type, count(*)::int, max(i.occurred_at)
      from interaction i
      where i.batch_id = any(${group.ids}::bigint[]) and i.occurred_at between ${group.from} and ${group.to}
        and not i.is_category
      group by 1, 2, 3 order by 1, 2, 3
      on conflict (shopper_id, product_id, event_type) do update
        set events = s.events + excluded.events, last_at = greatest(s.last_at, excluded.last_at)`.execute(tx)
      return sizeOf(group)
    }),
  )
}

/** Whether a batch is fed; false when the log does not have it. */
export function isFed(db: Queryable, batch: BatchRef): Promise<boolean> {
  return isTaken(db, batch, 'fed_at')
}

/** The shopper of an event: its account, or its session when it has no account. */
export function shopperOf(accountId: ReturnType<typeof sql>, sessionId: ReturnType<typeof sql>) {
  return sql`coalesce('account:' || ${accountId}, 'session:' || ${sessionId})`
}
