import { sql } from 'kysely'
import type { Database, Queryable } from '../database/connection.ts'
import { isDistributed } from '../database/is-distributed.ts'
import { onlyRow } from '../database/rows.ts'
import { allowLongStatements } from '../database/transaction.ts'
import { lockBatches } from '../log/batch-lock.ts'
import { shopperOf } from '../shoppers/shopper-of-event.ts'
import { refillRecent } from '../shoppers/shopper-recent.ts'
import { addErased, advance, type ErasureAt } from './run-machine.ts'

/**
 * Gives the interactions that were found, the profiles, the recent events and the impressions their pseudonyms, in one transaction, so that the profiles
 * equal the log at every instant. It first locks the batches that are not fed or not brought: a transaction that feeds or brings one ends before, or
 * begins after it and reads the pseudonyms.
 */
export async function eraseProfiles(db: Database, at: ErasureAt): Promise<void> {
  const { runId } = at
  await db.transaction().execute(async (tx) => {
    await allowLongStatements(tx)
    await lockBatches(
      tx,
      sql`(b.fed_at is null or b.recent_at is null)
        and b.batch_id in (select batch_id from erasure_event where run_id = ${runId}::uuid)`,
    )
    // In the order in which feeding takes them. Citus does not lock rows of several shards, and lets changes of the same shards take turns.
    if (!(await isDistributed(tx)))
      await sql`
      select from shopper_product where shopper_id in (select shopper_id from erasure_shopper where run_id = ${runId}::uuid)
      order by shopper_id, product_id, event_type for update`.execute(tx)
    const result = await sql<{ erased: string }>`select erase_interactions(${runId}::uuid) as erased`.execute(tx)
    await addErased(tx, runId, 'interaction', onlyRow(result).erased)
    await addErased(tx, runId, 'shopper_product', await moveProfiles(tx, runId))
    await addErased(tx, runId, 'shopper_recent', await moveRecent(tx, runId))
    await addErased(tx, runId, 'impression', await moveImpressions(tx, runId))
    await advance(tx, at, null)
  })
}

/** The shoppers of a run with their new ids: id and pseudonym, both with the kind. */
const idsOf = (runId: string) => sql`
  select shopper_id as id, split_part(shopper_id, ':', 1) || ':' || pseudonym as pseudonym
  from erasure_shopper where run_id = ${runId}::uuid`

/** What the profiles must keep: fed events of the same ids after the erasure, because the person came back. */
const returned = (runId: string) => sql`
  select ${shopperOf(sql`i.account_id`, sql`i.session_id`)} as shopper_id, i.ref_id as product_id, i.event_type,
    count(*)::int as events, max(i.occurred_at) as last_at
  from erasure_run r join interaction i on i.occurred_at > r.erased_at join interaction_batch b using (batch_id)
  where r.run_id = ${runId}::uuid and b.fed_at is not null and not i.is_category
    and ${shopperOf(sql`i.account_id`, sql`i.session_id`)} in (select shopper_id from erasure_shopper where run_id = ${runId}::uuid)
  group by 1, 2, 3`

/**
 * Moves the cells of the profiles, also what they have of months that were dropped. A cell with events after the erasure is divided: when
 * its time says nothing about the events before, these count as from before the horizon.
 */
async function moveProfiles(tx: Queryable, runId: string): Promise<number> {
  const divided = await sql`
    with returned as materialized (${returned(runId)}), moved as materialized (
      select p.pseudonym, i.ref_id as product_id, i.event_type, max(i.occurred_at) as last_at
      from erasure_event e join interaction i using (occurred_at, event_id)
        join (${idsOf(runId)}) p on p.pseudonym = ${shopperOf(sql`i.account_id`, sql`i.session_id`)}
      where e.run_id = ${runId}::uuid group by 1, 2, 3
    ), cell as (
      select s.*, r.events as kept, r.last_at as kept_at, p.pseudonym from shopper_product s join (${idsOf(runId)}) p on p.id = s.shopper_id
        join returned r on r.shopper_id = s.shopper_id and r.product_id = s.product_id and r.event_type = s.event_type
      where s.events > r.events
    ), added as (
      insert into shopper_product (shopper_id, product_id, event_type, events, last_at)
      select c.pseudonym, c.product_id, c.event_type, c.events - c.kept, coalesce(m.last_at, (select horizon - interval '1 millisecond' from log_horizon))
      from cell c left join moved m using (pseudonym, product_id, event_type)
    )
    update shopper_product s set events = c.kept, last_at = c.kept_at from cell c
    where s.shopper_id = c.shopper_id and s.product_id = c.product_id and s.event_type = c.event_type`.execute(tx)
  const isMoved = sql`s.shopper_id = p.id and not exists (select from returned r
      where r.shopper_id = s.shopper_id and r.product_id = s.product_id and r.event_type = s.event_type)`
  const isApart = await isDistributed(tx)
  const moved = await (
    isApart
      ? sql`
    with returned as materialized (${returned(runId)}), gone as (
      delete from shopper_product s using (${idsOf(runId)}) p where ${isMoved}
      returning p.pseudonym, s.product_id, s.event_type, s.events, s.last_at
    )
    insert into shopper_product (shopper_id, product_id, event_type, events, last_at)
    select pseudonym, product_id, event_type, events, last_at from gone`
      : sql`
    with returned as materialized (${returned(runId)})
    update shopper_product s set shopper_id = p.pseudonym from (${idsOf(runId)}) p where ${isMoved}`
  ).execute(tx)
  return Number(divided.numAffectedRows ?? 0) + Number(moved.numAffectedRows ?? 0)
}

const EVENT = sql`${shopperOf(sql`i.account_id`, sql`i.session_id`)} as shopper_id, i.ref_id as product_id, i.event_type,
  i.occurred_at, i.event_id, i.category, i.brand`

/** The events of a run, which have their pseudonyms already, and which shopper_recent can have. */
const erasedEvents = (runId: string) => sql`
  select ${EVENT} from erasure_event e join interaction i using (occurred_at, event_id)
    join interaction_batch b on b.batch_id = i.batch_id
  where e.run_id = ${runId}::uuid and not i.is_category and b.recent_at is not null`

/** The same of events of the person who came back. */
const returnedEvents = (runId: string) => sql`
  select ${EVENT} from erasure_run r join interaction i on i.occurred_at > r.erased_at join interaction_batch b using (batch_id)
  where r.run_id = ${runId}::uuid and not i.is_category and b.recent_at is not null
    and ${shopperOf(sql`i.account_id`, sql`i.session_id`)} in (select shopper_id from erasure_shopper where run_id = ${runId}::uuid)`

/**
 * Rows from before the horizon go, because the log has not their events any more; no read returns them, and a sweep may have left them.
 * Of a person who came back, events may have been pushed out of the newest 100 by events that now have another shopper, on either side.
 */
async function moveRecent(tx: Queryable, runId: string): Promise<number> {
  const gone = await sql`
    delete from shopper_recent where occurred_at < (select horizon from log_horizon)
      and shopper_id in (select shopper_id from erasure_shopper where run_id = ${runId}::uuid)`.execute(tx)
  const isMoved = sql`s.shopper_id = p.id and e.run_id = ${runId}::uuid and e.occurred_at = s.occurred_at and e.event_id = s.event_id`
  const isApart = await isDistributed(tx)
  const moved = await (
    isApart
      ? sql`
    with gone as (
      delete from shopper_recent s using (${idsOf(runId)}) p, erasure_event e where ${isMoved}
      returning p.pseudonym, s.occurred_at, s.event_id, s.product_id, s.event_type, s.category, s.brand
    )
    insert into shopper_recent (shopper_id, occurred_at, event_id, product_id, event_type, category, brand)
    select pseudonym, occurred_at, event_id, product_id, event_type, category, brand from gone`
      : sql`update shopper_recent s set shopper_id = p.pseudonym from (${idsOf(runId)}) p, erasure_event e where ${isMoved}`
  ).execute(tx)
  await refillRecent(tx, sql`${erasedEvents(runId)} union all ${returnedEvents(runId)}`)
  return Number(gone.numAffectedRows ?? 0) + Number(moved.numAffectedRows ?? 0)
}

/** What was shown to the person up to the erasure. */
async function moveImpressions(tx: Queryable, runId: string): Promise<number> {
  const { numAffectedRows } = await sql`
    update impression i set shopper_id = p.pseudonym from (${idsOf(runId)}) p, erasure_run r
    where r.run_id = ${runId}::uuid and i.shopper_id = p.id and i.shown_at <= r.erased_at`.execute(tx)
  return Number(numAffectedRows ?? 0)
}
