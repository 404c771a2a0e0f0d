import { sql } from 'kysely'
import { AFFINITIES_MAX } from '../../contract/preferences.ts'
import { DAY_MS, instantOf } from '../../contract/fields/time.ts'
import { type Affinity, affinitiesOf, type PreferenceSettings } from '../../ranking/preferences.ts'
import { SHOPPER_EVENTS_MAX } from '../../ranking/shopper-event.ts'
import type { Queryable } from '../database/connection.ts'

export interface Affinities {
  categories: Affinity[]
  brands: Affinity[]
}

interface Row {
  kind: 'category' | 'brand'
  name: string
  strength: number
  total: number
  prior: number
}

/**
 * The affinities of a shopper whose events are kept under these ids, as src/ranking/preferences.ts describes them. Categories and brands
 * are those of the catalog now. Of each id the newest 100 events count, and of the older ones the last of each product and event type,
 * because these are the events whose times are kept. Costs the profile's rows of the ids, a probe of the catalog for each product,
 * and a probe for each of the 100.
 */
export async function affinitiesAt(
  db: Queryable,
  shopperIds: readonly string[],
  nowMs: number,
  settings: PreferenceSettings,
): Promise<Affinities> {
  // The text begins with `select`, so that each connection plans it once.
  const { rows } = await sql<Row>`
    select * from (with weighted as materialized (
      select event_type, weight_micros / 1e6::float8 as weight from weight join popularity_rules on version = weights_version
    ), kept as materialized (
      select * from (
        select shopper_id, product_id, event_type, occurred_at,
          row_number() over (partition by shopper_id order by occurred_at desc, event_id desc) as place
        from shopper_recent where shopper_id = any(${shopperIds}::text[]) and occurred_at >= (select horizon from log_horizon)
      ) r where place <= ${SHOPPER_EVENTS_MAX}
    ), counted as (
      select product_id, event_type, occurred_at from kept
      union all
      select product_id, event_type, last_at from shopper_product p
      where shopper_id = any(${shopperIds}::text[]) and not exists (
        select from kept k
        where k.shopper_id = p.shopper_id and k.product_id = p.product_id and k.event_type = p.event_type)
    ), product as (
      select product_id, sum(weight * ${decayAt(nowMs, settings)}) as strength from counted join weighted using (event_type) group by 1
    ), named as (
      select v.kind, v.name, sum(p.strength) as strength
      from product p join catalog.product c using (product_id)
        cross join lateral (values ('category', c.category), ('brand', c.brand)) v (kind, name)
      where v.name is not null group by 1, 2 having sum(p.strength) > 0
    ), ranked as (
      select *, sum(strength) over (partition by kind) as total,
        row_number() over (partition by kind order by strength desc, name collate "C") as place
      from named
    )
    select kind, name, place, strength, total, (select max(weight) from weighted) as prior
    from ranked where place <= ${AFFINITIES_MAX}) best order by kind, place`.execute(db)
  const of = (kind: Row['kind']) => {
    const own = rows.filter((row) => row.kind === kind)
    return own.length === 0 ? [] : affinitiesOf(own, own[0]!)
  }
  return { categories: of('category'), brands: of('brand') }
}

/** `decayOf` in SQL, for occurred_at. The exponent is at most 1000, because PostgreSQL fails at about 1074, which a short half-life reaches. */
function decayAt(nowMs: number, { halfLifeDays }: PreferenceSettings) {
  const ageSeconds = sql`date_part('epoch', ${instantOf(nowMs)}::timestamptz - occurred_at)`
  return sql`power(0.5::float8, least(greatest(${ageSeconds}, 0) / ${(halfLifeDays * DAY_MS) / 1_000}::float8, 1000))`
}
