import { sql } from 'kysely'
import type { Queryable } from '../../../src/store/database/connection.ts'
import { shopperOf } from '../../../src/store/shoppers/shopper-of-event.ts'
import type { Item } from '../items/events.ts'
import { addToProduct, countersOf, hourOf, scoreOf, trendingOf, weighed } from '../../../src/store/popularity/cells.ts'

const RATING_TYPES = ['rating_low', 'rating_medium', 'rating_high']

/**
 * Changes a database to the rival layout: event types as numbers of a dictionary, in every table with at least one row per event. The
 * rest stays as sql/ makes it.
 */
export async function useEventTypeCodes(db: Queryable): Promise<void> {
  await sql`
    create table event_type_code (
      code       smallint generated always as identity primary key,
      event_type text collate "C" not null unique
    )`.execute(db)
  await sql`drop index interaction_search_clicks`.execute(db)
  await sql`drop trigger interaction_rating on interaction`.execute(db)
  await sql`alter table interaction alter column event_type type smallint using 0`.execute(db)
  await sql`create index interaction_search_clicks on interaction (occurred_at) where event_type = 0`.execute(db)
  await keepCodedRatings(db)
  await sql`drop view product_cell`.execute(db)
  await sql`drop table product_hour, shopper_product`.execute(db)
  await createCodedHours(db, 'product_hour')
  await sql`
    create table shopper_product (
      last_at    timestamptz not null,
      events     integer     not null,
      event_type smallint    not null,
      shopper_id text collate "C" not null,
      product_id text collate "C" not null,
      primary key (shopper_id, product_id, event_type)
    )`.execute(db)
}

/** The trigger of ratings by code. Its condition cannot look up a name, so the rating types get their codes first. */
async function keepCodedRatings(db: Queryable): Promise<void> {
  const { rows } = await sql<{ code: number }>`
    insert into event_type_code (event_type) select unnest(${RATING_TYPES}::text[]) returning code`.execute(db)
  await sql`
    create or replace function keep_rating() returns trigger language plpgsql as $$
    begin
      insert into product_rating (product_id, occurred_at, event_id, stars)
      select new.ref_id, new.occurred_at, new.event_id, stars_of(c.event_type, new.metadata)
      from event_type_code c where c.code = new.event_type
      on conflict do nothing;
      return null;
    end $$`.execute(db)
  await sql`
    create trigger interaction_rating after insert on interaction for each row
      when (new.event_type in (${sql.join(rows.map(({ code }) => sql.lit(code)))}) and not new.is_category)
      execute function keep_rating()`.execute(db)
}

/** Creates product_hour with event types as numbers, under the given name. */
export async function createCodedHours(db: Queryable, name: string): Promise<void> {
  await sql`
    create table ${sql.id(name)} (
      hour       timestamptz      not null,
      decayed    double precision not null,
      events     integer          not null,
      event_type smallint         not null,
      product_id text collate "C" not null,
      primary key (product_id, hour, event_type)
    )`.execute(db)
  await sql`create index on ${sql.id(name)} using brin (hour) with (pages_per_range = 16, autosummarize = on)`.execute(db)
}

/** Records, counts and feeds batches with the statements of the store, plus the look-up in the dictionary. */
export async function ingestCoded(db: Queryable, batches: readonly (readonly Item[])[], name: string): Promise<void> {
  const batchIds: string[] = []
  for (const [index, items] of batches.entries()) batchIds.push(await record(db, items, `${name}.${index}`))
  await Promise.all([count(db, batchIds), feed(db, batchIds)])
}

async function record(db: Queryable, items: readonly Item[], name: string): Promise<string> {
  await sql`
    insert into event_type_code (event_type)
    select distinct type from unnest(${items.map((item) => item.event_type)}::text[]) as type
    where not exists (select from event_type_code c where c.event_type = type)
    on conflict do nothing`.execute(db)
  const { rows } = await sql<{ batchId: string }>`
    with claimed as (
      insert into interaction_batch (occurred_from, occurred_to, events, invocation_id, body_sha256)
      values (${items[0]!.occurred_at}, ${items.at(-1)!.occurred_at}, ${items.length}, ${name}, sha256(${name}::bytea))
      returning batch_id
    ), inserted as (
      insert into interaction (occurred_at, batch_id, event_id, is_category, event_type, ref_id, account_id)
      select item.occurred_at, batch_id, item.event_id, false, c.code, item.ref_id, item.account_id
      from claimed cross join unnest(
        ${items.map((item) => item.occurred_at)}::timestamptz[], ${items.map((item) => item.event_id)}::uuid[],
        ${items.map((item) => item.event_type)}::text[], ${items.map((item) => item.ref_id)}::text[],
        ${items.map((item) => item.account_id)}::text[]) as item(occurred_at, event_id, event_type, ref_id, account_id)
      join event_type_code c using (event_type)
      order by item.occurred_at, item.event_id
      on conflict (occurred_at, event_id) do nothing
    )
    select batch_id as "batchId" from claimed`.execute(db)
  return rows[0]!.batchId
}

async function count(db: Queryable, batchIds: readonly string[]): Promise<void> {
  await sql`
    with scored as (
      update interaction_batch set scored_at = now() where batch_id = any(${batchIds}::bigint[])
    ), cell as materialized (
      select i.ref_id as product_id, ${hourOf(sql`i.occurred_at`)} as hour, i.event_type as code, count(*)::int as events,
        sum(power(2::float8, date_part('epoch', i.occurred_at - ${hourOf(sql`i.occurred_at`)}) / 3600 / r.half_life_hours)) as decayed,
        max(i.occurred_at) as last_at
      from interaction i cross join popularity_rules r where i.batch_id = any(${batchIds}::bigint[]) group by 1, 2, 3
    ), hours as (
      insert into product_hour as h (product_id, hour, event_type, events, decayed)
      select product_id, hour, code, events, decayed from cell order by product_id, hour, code
      on conflict (product_id, hour, event_type) do update
        set events = h.events + excluded.events, decayed = h.decayed + excluded.decayed
    )
    insert into product_popularity as p (product_id, score_micros, trending, view_count, purchase_count, favorite_count,
      cart_count, review_count, search_click_count, search_count, last_interaction, date_updated)
    select c.product_id, ${scoreOf}, ${trendingOf}, ${countersOf}, max(c.last_at), now()
    from (select * from cell join event_type_code using (code)) c cross join popularity_rules r ${weighed}
    group by c.product_id order by c.product_id
    ${addToProduct}`.execute(db)
}

async function feed(db: Queryable, batchIds: readonly string[]): Promise<void> {
  await sql`
    with fed as (update interaction_batch set fed_at = now() where batch_id = any(${batchIds}::bigint[]))
    insert into shopper_product as s (shopper_id, product_id, event_type, events, last_at)
    select ${shopperOf(sql`i.account_id`, sql`i.session_id`)}, i.ref_id, i.event_type, count(*)::int, max(i.occurred_at)
    from interaction i where i.batch_id = any(${batchIds}::bigint[])
    group by 1, 2, 3 order by 1, 2, 3
    on conflict (shopper_id, product_id, event_type) do update
      set events = s.events + excluded.events, last_at = greatest(s.last_at, excluded.last_at)`.execute(db)
}
