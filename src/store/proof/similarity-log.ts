import { sql } from 'kysely'
import { pairWeightsOf, WEIGHT_UNIT } from '../../ranking/similarity/pair-sums.ts'
import type { VersionSettings } from '../../ranking/similarity/version-settings.ts'
import type { Queryable } from '../database/connection.ts'
import { BASKET, DAY, SHOPPER } from '../similarity/read-log.ts'

/** A version and what it was made from. */
export interface ProvedVersion {
  version: string
  eventTypes: string[]
  settings: VersionSettings
}

/** A product that shoppers had near a product of the sample, with the numbers that the similarity is made of. */
export interface ExpectedPair {
  productNo: number
  other: number
  pairs: number
  score: number
}

/** A product that was bought together with a product of the sample. */
export interface ExpectedBasket {
  productNo: number
  other: number
  baskets: number
}

/** What the log gives for sampled products. */
export interface Expected<Other> {
  others: Other[]
  /** How many events, or baskets, of each sampled product count; a product without any is left out. */
  counts: ReadonlyMap<number, number>
}

/** So many pairs beyond the neighbours of a row are read, because pairs with nearly equal scores may change places. */
const MORE = 10

/** The events that a version was made from, each with the number of its product there. */
function eventsOf({ version, eventTypes }: ProvedVersion) {
  return sql`
    select ${SHOPPER_THEN} as shopper, p.product_no, i.occurred_at, i.event_id, ${DAY} as day, ${BASKET} as basket
    from interaction i join similarity_version v on v.version = ${version}::bigint
      join similarity_product p on p.version = v.version and p.product_id = i.ref_id
    where not i.is_category and i.event_type = any(${eventTypes}::text[]) and i.occurred_at >= v.horizon
      and i.batch_id <= v.batch_to and i.batch_id <> all(v.batches_missing)
      and (v.oldest_at is null or (i.occurred_at, i.event_id) >= (v.oldest_at, v.oldest_event_id))`
}

/** Sessions that were merged since belonged to no account then. */
const SHOPPER_THEN = sql`
  case when i.account_id is null and (select r.merged_at > v.merges_to or v.merges_to is null
    from shopper_redirect r where r.session_id = i.session_id) then 'session:' || i.session_id else ${SHOPPER} end`

/**
 * The pairs of sampled products by one statement over the log, as docs/recommendations.md describes them: the best of each product, and all
 * that are stored. Costs a pass over the log that sorts it by shopper.
 */
export async function expectedPairs(
  tx: Queryable,
  proved: ProvedVersion,
  sample: readonly number[],
): Promise<Expected<ExpectedPair>> {
  const { alpha, beta, kappa, window, productEventsMax, neighboursMax } = proved.settings
  const { forward, backward } = pairWeightsOf(proved.settings)
  const { rows } = await sql<Rows<ExpectedPair>>`
    with ${countingEvents(proved)}, popularity as (
      select product_no, count(*) as events from counting where newest <= ${productEventsMax} group by 1
    ), pair as (
      select a.product_no, b.product_no as other, count(*) as pairs,
        sum(case when a.place > b.place then (${[...forward]}::float8[])[a.place - b.place + 1]
          else (${[...backward]}::float8[])[b.place - a.place + 1] end) as weight
      from counting a join counting b using (shopper)
      where a.product_no = any(${sample}::int[]) and a.newest <= ${productEventsMax}
        and a.product_no <> b.product_no and abs(a.place - b.place) <= ${window}
      group by 1, 2
    ), scored as (
      select pair.product_no, other, pairs, weight * ${WEIGHT_UNIT}::float8 * power(i.events::float8, -(${alpha}::float8))
        * power(j.events::float8, -(${beta}::float8)) * (pairs / (pairs + ${kappa}::float8)) as score
      from pair join popularity i on i.product_no = pair.product_no join popularity j on j.product_no = other
    )
    select product_no as "productNo", other, pairs::int, score, null::int as counted from (
      select *, row_number() over (partition by product_no order by score desc, other) as place from scored where score > 0) ranked
    where place <= ${neighboursMax + MORE} or exists (select from similarity_row r
      where r.version = ${proved.version}::bigint and r.product_no = ranked.product_no and ranked.other = any(r.neighbour))
    union all
    select product_no, null, null, null, events::int from popularity where product_no = any(${sample}::int[])`.execute(tx)
  return split(rows)
}

type Rows<Other> = Other & { counted: number | null }

function split<Other extends { productNo: number }>(rows: readonly Rows<Other>[]): Expected<Other> {
  return {
    others: rows.filter(({ counted }) => counted === null),
    counts: new Map(rows.flatMap(({ productNo, counted }) => (counted === null ? [] : [[productNo, counted] as const]))),
  }
}

/** Events by their shoppers and products, from the newest, without repeats in a row, and within the bounds. */
function countingEvents(proved: ProvedVersion) {
  const { shopperEventsMax, botEventsPerDay } = proved.settings
  return sql`event as materialized (${eventsOf(proved)}), bot as (
      select distinct shopper from event group by shopper, day having count(*) > ${botEventsPerDay}
    ), unrepeated as (
      select *, lead(product_no) over (partition by shopper order by occurred_at, event_id) as next_product
      from event where shopper not in (select shopper from bot)
    ), placed as (
      select *, row_number() over (partition by shopper order by occurred_at desc, event_id desc) as place
      from unrepeated where product_no is distinct from next_product
    ), counting as materialized (
      select shopper, product_no, place,
        row_number() over (partition by product_no order by occurred_at desc, event_id desc) as newest
      from placed where place <= ${shopperEventsMax}
    )`
}

/** The products of baskets with sampled products, in the same way. */
export async function expectedBaskets(
  tx: Queryable,
  proved: ProvedVersion,
  sample: readonly number[],
): Promise<Expected<ExpectedBasket>> {
  const { productEventsMax } = proved.settings
  const { rows } = await sql<Rows<ExpectedBasket>>`
    with ${countingBaskets(proved)}
    select a.product_no as "productNo", b.product_no as other, count(*)::int as baskets, null::int as counted
    from counting a join counting b using (basket)
    where a.product_no = any(${sample}::int[]) and a.newest <= ${productEventsMax} and a.product_no <> b.product_no
    group by 1, 2
    union all
    select product_no, null, null, count(*)::int from counting
    where product_no = any(${sample}::int[]) and newest <= ${productEventsMax} group by 1`.execute(tx)
  return split(rows)
}

/** Baskets with their newest products, each once, from the newest purchase of each product. */
function countingBaskets(proved: ProvedVersion) {
  return sql`event as materialized (${eventsOf(proved)}), purchase as (
      select distinct on (basket, product_no) basket, product_no, occurred_at, event_id
      from event where basket is not null order by basket, product_no, occurred_at desc, event_id desc
    ), placed as (
      select *, row_number() over (partition by basket order by occurred_at desc, event_id desc) as place from purchase
    ), counting as materialized (
      select basket, product_no, row_number() over (partition by product_no order by occurred_at desc, event_id desc) as newest
      from placed where place <= ${proved.settings.basketProductsMax}
    )`
}
