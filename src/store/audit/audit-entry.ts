import { sql } from 'kysely'
import type { AuditEntriesRequest, AuditEntry } from '../../contract/audit-entry.ts'
import type { Database } from '../database/connection.ts'
import { utc } from '../popularity/popularity-json.ts'

/** A page of the audit entries, the newest first, and how many there are on all pages. Costs a look at all that fit. */
export async function auditEntries(
  db: Database,
  { action, actor, resource_type: resourceType, limit, offset }: AuditEntriesRequest,
): Promise<{ data: AuditEntry[]; total: number }> {
  const isOf = (column: string, value: string | undefined) =>
    value === undefined ? sql`true` : sql`${sql.ref(column)} = ${value}`
  const fits = sql`${isOf('action', action)} and ${isOf('actor', actor)} and ${isOf('resource_type', resourceType)}`
  const { rows } = await sql<{ data: AuditEntry[] | null; total: number }>`
    select (select count(*)::int from audit_entry where ${fits}) as total, (
      select json_agg(json_build_object('id', audit_id::text, 'at', ${sql.raw(utc('at'))}::json, 'actor', actor, 'action', action,
        'resource_type', resource_type, 'resource_id', resource_id, 'metadata', metadata) order by at desc, audit_id desc)
      from (select * from audit_entry where ${fits} order by at desc, audit_id desc limit ${limit} offset ${offset}) page
    ) as data`.execute(db)
  const { data, total } = rows[0]!
  return { data: data ?? [], total }
}
