import { sql } from 'kysely'
import { INGEST_HOURS_MAX } from '../../contract/ingest.ts'
import { kindsWith } from '../../contract/kinds.ts'
import { summedIngest } from '../log/ingest.ts'
import { KIND_OF_BATCH } from '../log/kind.ts'
import { comparedAggregate, exact } from './drift.ts'

/** The hours that the API shows. The calls of older ones are forgotten. */
const FROM = sql`(date_trunc('hour', now(), 'UTC') - ${sql.lit(INGEST_HOURS_MAX - 1)} * interval '1 hour')`

/** The counted batches of these hours. */
const BATCH = sql`
  select b.batch_id, date_trunc('hour', b.received_at, 'UTC') as hour, coalesce(b.counted_as, ${KIND_OF_BATCH}) as kind, b.items, b.refused,
    b.occurred_from
  from interaction_batch b where b.items is not null and b.received_at >= ${FROM}`

/** How many rows of these batches the log has. */
const LOGGED = sql.join(
  kindsWith('isBatched').map(
    (kind) => sql`select batch_id from ${sql.table(kind)} where batch_id in (select batch_id from batch)`,
  ),
  sql` union all `,
)

/**
 * What came in, by the batches, by the log, and by the counted calls. How many of a batch's items were new cannot be known once the log has lost its
 * month: such hours have as many accepted ones as are stored, and the others are duplicates.
 */
const EXPECTED = sql`
  with batch as materialized (${BATCH}), logged as (
    select hour, kind, count(*) as rows from (${LOGGED}) i join batch using (batch_id) group by hour, kind
  ), of_batches as (
    select b.hour, b.kind, sum(b.items) as items, sum(b.refused) as rejected,
      coalesce(bool_and(b.occurred_from >= l.horizon) filter (where b.items > 0), true) as is_whole
    from batch b cross join log_horizon l group by b.hour, b.kind
  ), of_calls as (
    select date_trunc('hour', counted_at, 'UTC') as hour, kind, sum(accepted) as accepted, sum(duplicates) as duplicates, sum(rejected) as rejected
    from ingest_call where counted_at >= ${FROM} group by 1, 2
  ), counted as (
    select hour, kind, b.items, coalesce(c.duplicates, 0) as duplicates_calls,
      coalesce(b.rejected, 0) + coalesce(c.rejected, 0) as rejected, coalesce(c.accepted, 0) as accepted_calls,
      case when b.is_whole is not false then coalesce(g.rows, 0) else s.accepted - coalesce(c.accepted, 0) end as accepted_batches
    from of_batches b full join of_calls c using (hour, kind) left join logged g using (hour, kind)
      left join (${summedIngest(FROM)}) s using (hour, kind)
  )
  select hour, kind, (accepted_batches + accepted_calls)::bigint as accepted,
    (coalesce(items, 0) - accepted_batches + duplicates_calls)::bigint as duplicates, rejected::bigint as rejected
  from counted where coalesce(items, 0) + accepted_calls + duplicates_calls + rejected > 0`

/** What came in in each hour, with what is not folded yet. */
export const INGEST_HOUR = comparedAggregate({
  table: 'ingest_hour',
  key: ['hour', 'kind'],
  stored: summedIngest(FROM),
  expected: EXPECTED,
  cells: ['accepted', 'duplicates', 'rejected'].map(exact),
})
