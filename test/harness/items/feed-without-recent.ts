import { sql } from 'kysely'
import type { Database, Queryable } from '../../../src/store/database/connection.ts'
import type { BatchRef } from '../../../src/store/log/batch.ts'
import { GROUP_BATCHES_MAX } from '../../../src/store/log/waiting.ts'
import { shopperOf } from '../../../src/store/shoppers/shopper-of-event.ts'

/** Feeds a batch, with others, as a release does that does not know the recent events of shoppers. */
export async function feedWithoutRecent(db: Database, own: BatchRef, othersMax = GROUP_BATCHES_MAX - 1): Promise<void> {
  await db.transaction().execute(async (tx) => {
    const ids = await claim(tx, own, othersMax)
    if (ids === undefined) return
    await sql`
      with fed as (
        update interaction_batch set fed_at = now() where batch_id = any(${ids}::bigint[])
      )
      insert into shopper_product as s (shopper_id, product_id, event_type, events, last_at)
      select ${shopperOf(sql`i.account_id`, sql`i.session_id`)}, i.ref_id, i.event_type, count(*)::int, max(i.occurred_at)
      from interaction i
      where i.batch_id = any(${ids}::bigint[]) and not i.is_category
      group by 1, 2, 3 order by 1, 2, 3
      on conflict (shopper_id, product_id, event_type) do update
        set events = s.events + excluded.events, last_at = greatest(s.last_at, excluded.last_at)`.execute(tx)
  })
}

/** It waits for its own batch, and takes others along that no transaction has locked. */
async function claim(tx: Queryable, own: BatchRef, othersMax: number): Promise<string[] | undefined> {
  const { rows } = await sql<{ isFed: boolean }>`
    select fed_at is not null as "isFed" from interaction_batch where batch_id = ${own.batchId} for update`.execute(tx)
  if (rows[0] === undefined || rows[0].isFed) return undefined
  const { rows: others } = await sql<{ batchId: string }>`
    select batch_id as "batchId" from interaction_batch where fed_at is null and batch_id <> ${own.batchId}
    order by batch_id limit ${othersMax} for update skip locked`.execute(tx)
  return [own.batchId, ...others.map(({ batchId }) => batchId)]
}
