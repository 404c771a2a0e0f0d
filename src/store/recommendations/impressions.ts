import { sql } from 'kysely'
import { millisecondsOf } from '../../contract/fields/time.ts'
import type { Impression } from '../../contract/impression.ts'
import type { Queryable } from '../database/connection.ts'
import { onlyRow } from '../database/rows.ts'
import type { Call } from '../log/call.ts'
import { awaitTrace, traced } from '../log/recorded-call.ts'
import { isNewerThan, type Tombstones, WITHOUT_KEY } from '../log/tombstone.ts'

/** A tombstone that comes in between costs one more attempt. More than a few mean a fault. */
const ATTEMPTS_MAX = 8

/**
 * Records impressions, each once by its recommendation_id, and counts those that are new. Repeating it changes nothing. Of a person who was
 * erased since, it records no shopper. @returns how many were new.
 */
export async function recordImpressions(
  db: Queryable,
  impressions: readonly Impression[],
  tombstones: Tombstones = WITHOUT_KEY,
  /** Whose trace it leaves. */
  call?: Call,
): Promise<number> {
  for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
    const shopperIds = impressions.flatMap(({ shopper_id: id }) => (id === null ? [] : [id]))
    const { tombstoneNo, erasedUntilMs } = await tombstones.check(db, shopperIds, attempt > 1)
    const isErased = ({ shopper_id: id, shown_at }: Impression) =>
      id !== null && millisecondsOf(shown_at) <= (erasedUntilMs.get(id) ?? -Infinity)
    const given = impressions.map((impression) => (isErased(impression) ? { ...impression, shopper_id: null } : impression))
    const result = await sql<{ added: number; isOutdated: boolean }>`
      with given as (
        select * from jsonb_to_recordset(${JSON.stringify(given)}::jsonb) as g (recommendation_id uuid, shown_at timestamptz,
          shopper_id text, strategy text, blend text, similarity_version bigint, product_ids text[])
      ), added as (
        insert into impression (recommendation_id, shown_at, shopper_id, strategy, blend, similarity_version, product_ids)
        select recommendation_id, date_trunc('milliseconds', shown_at), shopper_id, strategy, blend, coalesce(similarity_version, 0), product_ids
        from given where not ${isNewerThan(tombstoneNo)} order by recommendation_id
        on conflict (recommendation_id) do nothing
        returning *
      ), counted as (
        insert into impression_day as d (day, strategy, blend, similarity_version, impressions, products)
        ${countsPerDay(sql`added`)} order by 1, 2, 3, 4
        on conflict (day, strategy, blend, similarity_version) do update set
          impressions = d.impressions + excluded.impressions, products = d.products + excluded.products
      )${call === undefined ? sql`` : sql`, ${traced(call, sql`not ${isNewerThan(tombstoneNo)}`)}`}
      select (select count(*)::int from added) as added, ${isNewerThan(tombstoneNo)} as "isOutdated"`.execute(db)
    const { added, isOutdated } = onlyRow(result)
    if (isOutdated) continue
    if (added === 0 && call !== undefined) await awaitTrace(db, call)
    return added
  }
  throw new Error('impressions could not be recorded: persons were being erased')
}

/** What impression_day has of these rows: day, strategy, blend, similarity_version, impressions, products. */
export function countsPerDay(impressions: ReturnType<typeof sql>) {
  return sql`
    select (shown_at at time zone 'UTC')::date as day, strategy, blend, similarity_version, count(*) as impressions,
      sum(cardinality(product_ids))::bigint as products
    from ${impressions} group by 1, 2, 3, 4`
}

/** Rows of one statement. It takes some 50 ms. */
const DROPPED_MAX = 5_000

/**
 * Deletes impressions of days of UTC that ended at least so many days ago, the oldest first, and what their days count of them; at most
 * 5,000 by one call. @returns how many it deleted: 0 when none are left.
 */
export async function dropOldImpressions(db: Queryable, days: number): Promise<number> {
  const result = await sql<{ dropped: number }>`
    with old as materialized (
      select recommendation_id from impression
      where shown_at < (((now() at time zone 'UTC')::date - ${days}::int) at time zone 'UTC')
      order by shown_at limit ${DROPPED_MAX} for update skip locked
    ), gone as (
      delete from impression i using old where i.recommendation_id = old.recommendation_id returning i.*
    ), lessened as (
      update impression_day d set impressions = d.impressions - g.impressions, products = d.products - g.products
      from (${countsPerDay(sql`gone`)}) g
      where d.day = g.day and d.strategy = g.strategy and d.blend = g.blend and d.similarity_version = g.similarity_version
    )
    select (select count(*)::int from gone) as dropped`.execute(db)
  const { dropped } = onlyRow(result)
  if (dropped === 0) await sql`delete from impression_day where impressions = 0`.execute(db)
  return dropped
}
