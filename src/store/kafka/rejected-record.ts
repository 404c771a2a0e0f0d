import { createHash } from 'node:crypto'
import { sql } from 'kysely'
import { keptItemOfRecord } from '../../admission/kept-record.ts'
import type { KafkaRecord } from '../../admission/kafka-record.ts'
import type { IngestKind } from '../../contract/ingest.ts'
import type { RejectedRecord } from '../../admission/judge-records.ts'
import type { Queryable } from '../database/connection.ts'
import { ingestDeltaOf } from '../log/ingest.ts'

/** As what a record is counted. */
export function ingestKindOf({ kind }: Pick<KafkaRecord, 'kind'>): IngestKind {
  return kind === 'interaction' ? 'interaction' : 'product'
}

/**
 * Keeps records among the rejected events, each once: the call of its batch is its position and a hash of its bytes. The batches are
 * empty and counted.
 */
export async function keepRejected(tx: Queryable, rejected: readonly RejectedRecord[]): Promise<void> {
  const rows = rejected.map(({ record, index, code, field, message }) => {
    const { text, cutFromBytes } = keptItemOfRecord(record)
    const call = `kafka record ${record.topic}/${record.partition}/${record.offset}/${index}`
    const sha256 = createHash('sha256')
      .update(record.key ?? '')
      .update('\n')
      .update(record.value ?? '')
      .digest('hex')
    return { call, sha256, index, code, field, message, text, cutFromBytes, kind: ingestKindOf(record) }
  })
  await sql`
    with given as (
      select row_number() over () as number, * from unnest(
        ${rows.map(({ call }) => call)}::text[], ${rows.map(({ sha256 }) => sha256)}::text[],
        ${rows.map(({ index }) => index)}::int[], ${rows.map(({ code }) => code)}::text[], ${rows.map(({ field }) => field)}::text[],
        ${rows.map(({ message }) => message)}::text[], ${rows.map(({ text }) => text)}::text[],
        ${rows.map(({ cutFromBytes }) => cutFromBytes)}::int[], ${rows.map(({ kind }) => kind)}::text[])
        as row(call, sha256, index, code, field, message, item, cut_from_bytes, kind)
    ), claimed as (
      insert into interaction_batch (occurred_from, occurred_to, events, invocation_id, body_sha256, kind, scored_at, fed_at, tombstone_no,
        items, refused, counted_as)
      select now(), now(), 0, call, decode(sha256, 'hex'), 'interaction', now(), now(), 0, 0, 1, kind from given order by number
      on conflict (invocation_id, body_sha256) do nothing
      returning batch_id, invocation_id, body_sha256, counted_as
    ), counted as (${ingestDeltaOf(sql`
      select 0 as accepted, 0 as duplicates, count(*)::int as rejected, counted_as as kind from claimed group by counted_as`)}
    )
    insert into rejected_interaction (batch_id, index, code, field, message, item, cut_from_bytes, kind)
    select c.batch_id, g.index, g.code, g.field, g.message, g.item, g.cut_from_bytes, 'record'
    from given g join claimed c on c.invocation_id = g.call and c.body_sha256 = decode(g.sha256, 'hex')`.execute(tx)
}
