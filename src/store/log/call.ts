import { createHash } from 'node:crypto'
import { sql } from 'kysely'
import { uuidV7 } from '../../contract/fields/event-id.ts'
import type { Queryable } from '../database/connection.ts'
import { onlyRow } from '../database/rows.ts'

/** One call of a recording handler: its invocation, and a hash of its body. */
export interface Call {
  invocationId: string
  bodySha256: Buffer
}

export function callOf(invocationId: string, body: Uint8Array): Call {
  return { invocationId, bodySha256: createHash('sha256').update(body).digest() }
}

/**
 * The id of an event that was sent without one: a UUIDv7 of its time, filled with a hash of the call and its place in the call. Every
 * attempt of the call gives the same id. A later call with the same idempotency key and another body gives another id.
 */
export function eventIdFor(call: Call, index: number, milliseconds: number): string {
  const place = createHash('sha256').update(call.invocationId).update(call.bodySha256).update(`#${index}`).digest()
  return uuidV7(milliseconds, place)
}

/** A call in 16 bytes, as hex. */
export function callIdOf({ invocationId, bodySha256 }: Call): string {
  return createHash('sha256').update(invocationId).update(bodySha256).digest('hex').slice(0, 32)
}

/** What a completed invocation has recorded: this body, another one, or nothing. */
export async function recordedBodyOf(db: Queryable, call: Call): Promise<'same' | 'other' | 'nothing'> {
  const { invocationId, bodySha256 } = call
  const result = await sql<{ isSame: boolean; isAny: boolean }>`
    select coalesce(bool_or(body_sha256 = ${bodySha256}::bytea), false)
        -- The release before left no other trace of a call without a batch.
        or exists (select from ingest_call where call_id = ${callIdOf(call)}::uuid) as "isSame", count(*) > 0 as "isAny"
    from (
      select body_sha256 from interaction_batch where invocation_id = ${invocationId}
      union all
      select body_sha256 from recorded_call where invocation_id = ${invocationId}
    ) recorded`.execute(db)
  const { isSame, isAny } = onlyRow(result)
  if (isSame) return 'same'
  return isAny ? 'other' : 'nothing'
}
