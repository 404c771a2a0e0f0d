import { sql } from 'kysely'
import type { Queryable } from '../database/connection.ts'
import { onlyRow } from '../database/rows.ts'
import type { Call } from './call.ts'

type Sql = ReturnType<typeof sql>

/*
 * The proof that PostgreSQL has a call is its batch; of a call without one it is a row of `recorded_call`. Restate may say that a call is
 * completed whose commit a failover has lost, and then there is neither.
 */

/** The part of a statement that leaves the trace of a call, `traced`. Nothing unless the condition holds. */
export function traced({ invocationId, bodySha256 }: Call, condition: Sql = sql`true`): Sql {
  return sql`
    traced as (
      insert into recorded_call (invocation_id, body_sha256)
      select ${invocationId}::text, ${bodySha256}::bytea where ${condition}
      on conflict do nothing
      returning 1
    )`
}

/** Leaves the trace of a call, in the transaction of what it changes or after it. @returns false when it was there. */
export async function traceCall(db: Queryable, call: Call): Promise<boolean> {
  const result = await sql<{ isNew: boolean }>`with ${traced(call)} select exists (select from traced) as "isNew"`.execute(db)
  return onlyRow(result).isNew
}

/**
 * Waits until a synchronous standby has the trace of a call that an earlier attempt left. That attempt may have died while it waited, and then
 * its rows are seen before a standby has them. A row lock is written to the log, so its commit waits as any other.
 */
export async function awaitTrace(db: Queryable, { invocationId, bodySha256 }: Call): Promise<void> {
  await sql`
    select from recorded_call where invocation_id = ${invocationId} and body_sha256 = ${bodySha256} for key share`.execute(db)
}

/** Those of the invocations that PostgreSQL has. */
export async function recordedAmong(db: Queryable, invocationIds: readonly string[]): Promise<Set<string>> {
  const { rows } = await sql<{ id: string }>`
    select id from unnest(${invocationIds}::text[]) as asked (id)
    where exists (select from interaction_batch b where b.invocation_id = asked.id)
      or exists (select from recorded_call c where c.invocation_id = asked.id)`.execute(db)
  return new Set(rows.map(({ id }) => id))
}

/** Much longer than Restate remembers calls. */
const TRACE_DAYS = 8
const DROPPED_MAX = 20_000

/** Forgets traces of days ago. @returns whether there may be more. */
export async function dropTraces(db: Queryable): Promise<boolean> {
  const { numAffectedRows = 0n } = await sql`
    with old as materialized (
      select invocation_id, body_sha256 from recorded_call where recorded_at < now() - ${TRACE_DAYS} * interval '1 day'
      order by recorded_at limit ${DROPPED_MAX}
    )
    delete from recorded_call r using old where r.invocation_id = old.invocation_id and r.body_sha256 = old.body_sha256`.execute(
    db,
  )
  return numAffectedRows === BigInt(DROPPED_MAX)
}

const ID_JUMP = 1_000_000

/**
 * Moves the next number of a batch on by a million. The numbers of lost batches would otherwise be given again, while messages about the lost
 * ones still wait in Restate.
 */
export async function jumpBatchIds(db: Queryable): Promise<void> {
  await sql`
    select setval(pg_get_serial_sequence('interaction_batch', 'batch_id'), nextval(pg_get_serial_sequence('interaction_batch', 'batch_id')) + ${ID_JUMP}::bigint)`.execute(
    db,
  )
}
