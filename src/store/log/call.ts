import { createHash } from 'node:crypto'
import { sql } from 'kysely'
import { uuidV7 } from '../../contract/fields/event-id.ts'
import type { Queryable } from '../database/connection.ts'

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

/** Whether this invocation has recorded a batch from another body; false when it has recorded nothing. */
export async function isOtherBody(db: Queryable, { invocationId, bodySha256 }: Call): Promise<boolean> {
  const { rows } = await sql<{ bodySha256: Buffer }>`
    select body_sha256 as "bodySha256" from interaction_batch where invocation_id = ${invocationId}`.execute(db)
  return rows.length > 0 && !rows.some((row) => row.bodySha256.equals(bodySha256))
}
