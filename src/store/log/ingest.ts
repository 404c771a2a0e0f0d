import { sql } from 'kysely'
import type { IngestKind } from '../../contract/ingest.ts'
import type { Queryable } from '../database/connection.ts'
import { onlyRow } from '../database/rows.ts'
import { type Call, callIdOf } from './call.ts'
import { traced } from './recorded-call.ts'

type Sql = ReturnType<typeof sql>

/** What became of items that came in. */
export interface IngestCounts {
  accepted: number
  duplicates: number
  rejected: number
}

/** Adds counts to the running hour. `counts` selects accepted, duplicates, rejected and kind. */
export function ingestDeltaOf(counts: Sql): Sql {
  return sql`
    insert into ingest_delta (hour, accepted, duplicates, rejected, kind)
    select date_trunc('hour', now(), 'UTC'), accepted, duplicates, rejected, kind from (${counts}) counts`
}

/**
 * The parts of a statement, `called` and `counted`, that count the items of a call without a batch, once for all of its attempts. `counts`
 * selects accepted, duplicates and rejected of this attempt, which has all of them, because the statement writes everything or nothing.
 */
export function countedCall(call: Call, kind: IngestKind, counts: Sql): Sql {
  return sql`
    called as (
      insert into ingest_call (call_id, kind, accepted, duplicates, rejected)
      select ${callIdOf(call)}::uuid, ${kind}::text, accepted, duplicates, rejected from (${counts}) counts
      where accepted + duplicates + rejected > 0
      on conflict do nothing
      returning accepted, duplicates, rejected, kind
    ), counted as (${ingestDeltaOf(sql`select accepted, duplicates, rejected, kind from called`)})`
}

/** Counts the items of a call without a batch, once for all of its attempts, and leaves its trace. */
export async function countCall(db: Queryable, call: Call, kind: IngestKind, counts: IngestCounts): Promise<void> {
  const { accepted, duplicates, rejected } = counts
  const given = sql`select ${accepted}::int as accepted, ${duplicates}::int as duplicates, ${rejected}::int as rejected`
  await sql`with ${countedCall(call, kind, given)}, ${traced(call)} select`.execute(db)
}

/** Few enough for a short statement. */
const FOLD_MAX = 20_000
/** Longer than the hours that are shown and proved. */
const CALL_DAYS = 8
const DROPPED_MAX = 20_000

/**
 * Moves what was counted into the rows of its hours. One statement, so that a reader or a crash never finds a count in both or in neither.
 * @returns whether there may be more.
 */
export async function foldIngest(db: Queryable): Promise<boolean> {
  const result = await sql<{ folded: number }>`
    with chosen as materialized (
      select delta_id from ingest_delta limit ${FOLD_MAX} for update skip locked
    ), taken as (
      delete from ingest_delta d using chosen c where d.delta_id = c.delta_id
      returning d.hour, d.accepted, d.duplicates, d.rejected, d.kind
    ), folded as (
      insert into ingest_hour as h (hour, accepted, duplicates, rejected, kind)
      select hour, sum(accepted), sum(duplicates), sum(rejected), kind from taken group by hour, kind order by hour, kind
      on conflict (hour, kind) do update set accepted = h.accepted + excluded.accepted,
        duplicates = h.duplicates + excluded.duplicates, rejected = h.rejected + excluded.rejected
    )
    select count(*)::int as folded from taken`.execute(db)
  return onlyRow(result).folded === FOLD_MAX
}

/** Forgets calls that were counted days ago. An attempt that is repeated after that counts again. @returns whether there may be more. */
export async function dropCountedCalls(db: Queryable): Promise<boolean> {
  const { numAffectedRows = 0n } = await sql`
    with old as materialized (
      select call_id from ingest_call where counted_at < now() - ${CALL_DAYS} * interval '1 day' order by counted_at limit ${DROPPED_MAX}
    )
    delete from ingest_call c using old where c.call_id = old.call_id`.execute(db)
  return numAffectedRows === BigInt(DROPPED_MAX)
}

/** The counts of each hour and kind from an hour on: its row and what is not folded yet. Exact, because one statement moves them. */
export function summedIngest(from: Sql): Sql {
  return sql`
    select hour, kind, sum(accepted)::bigint as accepted, sum(duplicates)::bigint as duplicates, sum(rejected)::bigint as rejected
    from (
      select hour, kind, accepted, duplicates, rejected from ingest_hour where hour >= ${from}
      union all
      select hour, kind, accepted, duplicates, rejected from ingest_delta where hour >= ${from}
    ) part group by hour, kind`
}
