import { sql } from 'kysely'
import type { KeepWebhookRequest, KeptWebhook, WebhookCode } from '../../contract/payment-webhook.ts'
import type { RejectedKey } from '../../contract/rejected.ts'
import type { Queryable } from '../database/connection.ts'
import { onlyRow } from '../database/rows.ts'
import { ingestDeltaOf } from './ingest.ts'
import { itemOf } from './rejected-item.ts'

/**
 * Keeps a webhook among the rejected events, once per provider, hash and code: these are the call of its batch, so a webhook that is sent
 * for days is one event of the list. The batch is empty and counted. A webhook that was deleted from the list is not kept again.
 * @returns whether it is new.
 */
export async function keepWebhook(db: Queryable, { webhook, sha256, code, message }: KeepWebhookRequest): Promise<boolean> {
  // A webhook that an adapter ignores brings nothing.
  const refused = code === 'ignored' ? 0 : 1
  const answer = await sql<{ isNew: boolean }>`
    with claimed as (
      insert into interaction_batch (occurred_from, occurred_to, events, invocation_id, body_sha256, kind, scored_at, fed_at, tombstone_no,
        items, refused, counted_as)
      values (now(), now(), 0, ${`webhook ${code} ${webhook.provider}`}, ${Buffer.from(sha256, 'hex')}, 'interaction', now(), now(), 0, 0,
        ${refused}, 'payment')
      on conflict (invocation_id, body_sha256) do nothing
      returning batch_id
    ), kept as (
      insert into rejected_interaction (batch_id, index, code, message, item, kind)
      select batch_id, 0, ${code}, ${message}, ${JSON.stringify(webhook)}, 'webhook' from claimed
      returning 1
    ), counted as (${ingestDeltaOf(sql`select 0 as accepted, 0 as duplicates, 1 as rejected, 'payment' as kind from claimed where ${refused === 1}`)})
    select exists (select from kept) as "isNew"`.execute(db)
  return onlyRow(answer).isNew
}

/** A kept webhook; undefined for an event of another kind and an id that does not exist. */
export async function keptWebhook(
  db: Queryable,
  key: RejectedKey,
): Promise<{ webhook: KeptWebhook; code: WebhookCode } | undefined> {
  const { rows } = await sql<{ item: string; code: WebhookCode }>`
    select item, code from rejected_interaction
    where batch_id = ${key.batch_id}::bigint and index = ${key.index}::int and kind = 'webhook'`.execute(db)
  return rows[0] && { webhook: itemOf(rows[0].item) as KeptWebhook, code: rows[0].code }
}
