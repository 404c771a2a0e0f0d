import { sql } from 'kysely'
import type { AuditEntriesRequest, AuditEntry as AuditEntryAnswer } from '../../contract/audit-entry.ts'
import type { Queryable } from '../database/connection.ts'
import { utc } from '../database/json.ts'
import { onlyRow } from '../database/rows.ts'

/** A page of the audit entries, the newest first, and how many entries all pages have. Reads all entries that match. */
export async function auditEntries(
  db: Queryable,
  { action, actor, except_actor: exceptActor, resource_type: resourceType, limit, offset }: AuditEntriesRequest,
): Promise<{ data: AuditEntryAnswer[]; total: number }> {
  const isOf = (column: string, value: string | undefined) =>
    value === undefined ? sql`true` : sql`${sql.ref(column)} = ${value}`
  const isNotLeftOut = exceptActor === undefined ? sql`true` : sql`actor <> ${exceptActor}`
  const matches = sql`${isOf('action', action)} and ${isOf('actor', actor)} and ${isNotLeftOut} and ${isOf('resource_type', resourceType)}`
  const result = await sql<{ data: AuditEntryAnswer[] | null; total: number }>`
    select (select count(*)::int from audit_entry where ${matches}) as total, (
      select json_agg(json_build_object('id', audit_id::text, 'at', ${sql.raw(utc('at'))}::json, 'actor', actor, 'action', action,
        'resource_type', resource_type, 'resource_id', resource_id, 'metadata', metadata) order by at desc, audit_id desc)
      from (select * from audit_entry where ${matches} order by at desc, audit_id desc limit ${limit} offset ${offset}) page
    ) as data`.execute(db)
  const { data, total } = onlyRow(result)
  return { data: data ?? [], total }
}

/** The actor of scheduled work. */
export const SYSTEM_ACTOR = 'footfall'

export type AuditAction =
  | 'key.create'
  | 'key.revoke'
  | 'database.grant'
  | 'weights.change'
  | 'lanes.change'
  | 'source.change'
  | 'rejected.replay'
  | 'rejected.drop'
  | 'rejected_replay.request'
  | 'rejected_replay.start'
  | 'rejected_replay.complete'
  | 'rejected_replay.fail'
  | 'rejected_replay.cancel'
  | 'run.request'
  | 'run.start'
  | 'run.complete'
  | 'run.fail'
  | 'run.cancel'
  | 'erasure.request'
  | 'erasure.start'
  | 'erasure.complete'
  | 'erasure.fail'
  | 'export.start'
  | 'export.complete'
  | 'export.cut_off'
  | 'similarity.request'
  | 'similarity.start'
  | 'similarity.complete'
  | 'similarity.fail'
  | 'similarity.cancel'
  | 'similarity.promote'
  | 'verification.request'
  | 'verification.start'
  | 'verification.complete'
  | 'verification.fail'
  | 'verification.cancel'
  | 'similarity_settings.add'
  | 'similarity_settings.promote'
  | 'kafka.seek'
  | 'alert.create'
  | 'alert.change'
  | 'alert.delete'
  | 'alert.secret'
  | 'alert.replay'
  | 'low_stock.change'
  | 'metrics.rebuild'

export interface AuditEntry {
  actor: string
  action: AuditAction
  resourceType:
    | 'key'
    | 'database'
    | 'weights'
    | 'lanes'
    | 'event_source'
    | 'rejected_interaction'
    | 'recompute_run'
    | 'erasure_run'
    | 'person_export'
    | 'similarity_run'
    | 'verification_run'
    | 'replay_run'
    | 'similarity_version'
    | 'similarity_settings'
    | 'kafka_offset'
    | 'alert'
    | 'low_stock'
    | 'product_metric'
  resourceId: string
  metadata?: Record<string, unknown>
}

/** Writes an entry: in the transaction of the change that it describes, or after it. */
export async function audit(
  db: Queryable,
  { actor, action, resourceType, resourceId, metadata = {} }: AuditEntry,
): Promise<void> {
  await sql`
    insert into audit_entry (actor, action, resource_type, resource_id, metadata)
    values (${actor}, ${action}, ${resourceType}, ${resourceId}, ${JSON.stringify(metadata)}::jsonb)`.execute(db)
}
