import { sql } from 'kysely'
import type { Database } from '../../../src/store/database/connection.ts'
import type { BatchRef } from '../../../src/store/log/batch.ts'
import { claimGroup, GROUP_BATCHES_MAX, LOST } from '../../../src/store/log/group.ts'
import { shopperOf } from '../../../src/store/shoppers/shopper-of-event.ts'

/** Feeds a batch, with others, as a release does that does not know the recent events of shoppers. */
export async function feedWithoutRecent(db: Database, own: BatchRef, othersMax = GROUP_BATCHES_MAX - 1): Promise<void> {
  await db.transaction().execute(async (tx) => {
    const group = await claimGroup(tx, own, { done: 'fed_at', othersMax })
    if (group === undefined || group === LOST) return
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
  })
}
