import { sql } from 'kysely'
import { SEARCH_IMPRESSION } from '../../contract/search.ts'

type Sql = ReturnType<typeof sql>

/** Interactions i with products. */
export function productInteractions(condition: Sql): Sql {
  return sql`
    select i.ref_id as product_id, i.occurred_at, i.event_type, i.batch_id
    from interaction i where not i.is_category and ${condition}`
}

/** The products that searches s showed: each is an event of its own, as if an interaction of this type had said so. */
export function searchImpressions(condition: Sql): Sql {
  return sql`
    select shown.product_id, s.occurred_at, ${sql.lit(SEARCH_IMPRESSION)}::text collate "C" as event_type, s.batch_id
    from search s cross join unnest(s.product_ids) as shown(product_id) where ${condition}`
}

/** Every event of a product that was counted, and when. */
export const countedEvents = sql`
  select log.product_id, log.occurred_at, log.event_type, b.scored_at
  from (${productInteractions(sql`true`)} union all ${searchImpressions(sql`true`)}) log
    join interaction_batch b on b.batch_id = log.batch_id
  where b.scored_at is not null`
