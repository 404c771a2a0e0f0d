import { sql } from 'kysely'
import { SHOPPER_EVENTS_MAX } from '../../ranking/shopper-event.ts'
import { shopperOf } from '../shoppers/shopper-of-event.ts'
import { comparedAggregate, exact } from './drift.ts'

/** Every product event of the log in a batch that was brought, and its place among those of its shopper, from the newest. */
const replayedEvents = sql`
  select e.*, row_number() over (partition by e.shopper_id order by e.occurred_at desc, e.event_id desc) as place
  from (
    select ${shopperOf(sql`i.account_id`, sql`i.session_id`)} as shopper_id, i.occurred_at, i.event_id, i.ref_id as product_id,
      i.event_type, i.category, i.brand
    from interaction i join interaction_batch b using (batch_id) cross join log_horizon l
    where not i.is_category and b.recent_at is not null and i.occurred_at >= l.horizon
  ) e`

/**
 * The newest 100 events of each shopper must be there. Older ones may be there too, and then as the log has them. Rows from before the
 * horizon are left out, because reads leave them out and a task deletes them.
 */
export const SHOPPER_RECENT = comparedAggregate({
  table: 'shopper_recent',
  key: ['shopper_id', 'occurred_at', 'event_id'],
  stored: sql`select r.* from shopper_recent r cross join log_horizon l where r.occurred_at >= l.horizon`,
  expected: sql`
    select e.* from (${replayedEvents}) e left join shopper_recent r using (shopper_id, occurred_at, event_id)
    where e.place <= ${sql.lit(SHOPPER_EVENTS_MAX)} or r.shopper_id is not null`,
  cells: ['product_id', 'event_type', 'category', 'brand'].map(exact),
})
