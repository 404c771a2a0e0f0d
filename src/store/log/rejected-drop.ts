import { sql } from 'kysely'
import { rejectedIdOf, type RejectedKey, type RejectedKind } from '../../contract/rejected.ts'
import { audit } from '../audit/audit-entry.ts'
import type { Database, Queryable } from '../database/connection.ts'
import { onlyRow } from '../database/rows.ts'
import { KIND_OF_REJECTED } from './kind.ts'

/** Which rejected events are meant: all for which every field is true. */
export interface RejectedFilter {
  /** Received at least so many days ago. */
  olderThanDays?: number | undefined
  code?: string | undefined
  kind?: RejectedKind | undefined
  keys?: readonly RejectedKey[] | undefined
}

/** Rows that one statement reads and deletes at most: some 50 ms when they are small. */
const WINDOW_ROWS = 5_000
/**
 * Where it stops when they are large. PostgreSQL deletes some 300 MB a second, so 5,000 items of 2 MiB would take longer than a statement
 * may.
 */
const WINDOW_BYTES = 64 * 1024 * 1024

/**
 * Deletes rejected events that were received at least so many days ago, replayed or not; at most 5,000 by one call, and fewer when they
 * are large. It begins with the lowest batches, which are the oldest, and reads no further than the first ones that are too young, so it
 * needs no index by time.
 * @returns how many it deleted: 0 when none are left.
 */
export async function dropOldRejected(db: Database, days: number): Promise<number> {
  return (await dropWindow(db, { olderThanDays: days }, undefined)).dropped
}

/** Deletes webhooks that adapters ignored at least so many days ago. It looks at every rejected event. @returns how many it deleted. */
export async function dropOldIgnored(db: Database, days: number): Promise<number> {
  return dropEach(db, { olderThanDays: days, code: 'ignored' })
}

/** Deletes rejected events for good, and writes an audit entry before the first. @returns how many it deleted. */
export async function dropRejected(db: Database, filter: RejectedFilter, actor: string): Promise<number> {
  const { keys, ...conditions } = filter
  const resourceId = keys?.length === 1 ? rejectedIdOf(keys[0]!) : 'several'
  const metadata = { ...conditions, ...(keys && { ids: keys.map(rejectedIdOf) }), events: await countRejected(db, filter) }
  await audit(db, { actor, action: 'rejected.drop', resourceType: 'rejected_interaction', resourceId, metadata })
  return dropEach(db, filter)
}

async function dropEach(db: Database, filter: RejectedFilter): Promise<number> {
  let total = 0
  for (let after: RejectedKey | undefined = { batch_id: '0', index: -1 }; after !== undefined;) {
    const { dropped, next }: Window = await dropWindow(db, filter, after)
    total += dropped
    after = next
  }
  return total
}

/** How many rejected events there are of these. Reads all rejected events. */
export async function countRejected(db: Queryable, filter: RejectedFilter): Promise<number> {
  const result = await sql<{ n: number }>`
    select count(*)::int as n from rejected_interaction r join interaction_batch b on b.batch_id = r.batch_id
    where ${conditionOf(filter)}`.execute(db)
  return onlyRow(result).n
}

interface Window {
  dropped: number
  /** The last event that was looked at; undefined when it was the last of all. */
  next: RejectedKey | undefined
}

/** Looks at the next events in the order of their ids; of named events only at those. Leaves events that are being replayed. */
async function dropWindow(
  db: Database,
  filter: RejectedFilter,
  after: RejectedKey = { batch_id: '0', index: -1 },
): Promise<Window> {
  const result = await sql<{ dropped: number; isLast: boolean; batchId: string | null; index: number | null }>`
    with candidate as materialized (
      select batch_id, index, sum(bytes) over (order by batch_id, index) - bytes as "bytesBefore"
      from (
        select r.batch_id, r.index, pg_column_size(r.item) as bytes from rejected_interaction r
        where (r.batch_id, r.index) > (${after.batch_id}::bigint, ${after.index}::int) and ${isNamed(filter)}
        order by r.batch_id, r.index limit ${WINDOW_ROWS}) c
    ), seen as materialized (
      select batch_id, index from candidate where "bytesBefore" < ${WINDOW_BYTES}
    ), chosen as materialized (
      select r.batch_id, r.index from seen s join rejected_interaction r on r.batch_id = s.batch_id and r.index = s.index
        join interaction_batch b on b.batch_id = r.batch_id
      where ${conditionOf(filter)} order by r.batch_id, r.index for update of r skip locked
    ), gone as (
      delete from rejected_interaction r using chosen c where r.batch_id = c.batch_id and r.index = c.index returning 1
    )
    select (select count(*)::int from gone) as dropped,
      (select count(*) from candidate) < ${WINDOW_ROWS} and (select count(*) from seen) = (select count(*) from candidate) as "isLast",
      last.batch_id as "batchId", last.index
    from (values (1)) one(row) left join (select * from seen order by batch_id desc, index desc limit 1) last on true`.execute(db)
  const { dropped, isLast, batchId, index } = onlyRow(result)
  return { dropped, next: isLast ? undefined : { batch_id: batchId!, index: index! } }
}

function conditionOf(filter: RejectedFilter) {
  const { olderThanDays, code, kind } = filter
  const conditions = [
    isNamed(filter),
    olderThanDays === undefined ? undefined : sql`b.received_at <= now() - ${olderThanDays}::int * interval '1 day'`,
    code === undefined ? undefined : sql`r.code = ${code}`,
    kind === undefined ? undefined : sql`${KIND_OF_REJECTED} = ${kind}`,
  ].filter((condition) => condition !== undefined)
  return sql.join(conditions, sql` and `)
}

/** Whether an event is one of those that are named; true when none are. */
function isNamed({ keys }: RejectedFilter) {
  if (keys === undefined) return sql`true`
  return sql`(r.batch_id, r.index) in (select * from unnest(
    ${keys.map((key) => key.batch_id)}::bigint[], ${keys.map((key) => key.index)}::int[]))`
}
