import { sql } from 'kysely'
import type { Database } from './database.ts'

export interface AuditEntry {
  actor: string
  action:
    'key.create' | 'key.revoke' | 'database.grant' | 'run.request' | 'run.start' | 'run.complete' | 'run.fail' | 'run.cancel'
  resourceType: 'key' | 'database' | 'recompute_run'
  resourceId: string
  metadata?: Record<string, unknown>
}

/** Written in the transaction of what it tells, or after it. */
export async function audit(db: Database, { actor, action, resourceType, resourceId, metadata = {} }: AuditEntry): Promise<void> {
  await sql`
    insert into audit_entry (actor, action, resource_type, resource_id, metadata)
    values (${actor}, ${action}, ${resourceType}, ${resourceId}, ${JSON.stringify(metadata)}::jsonb)`.execute(db)
}
