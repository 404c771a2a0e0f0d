import { sql } from 'kysely'
import type { Database } from '../database/connection.ts'

/** Who does what nobody asked for. */
export const FOOTFALL = 'footfall'

export interface AuditEntry {
  actor: string
  action:
    | 'key.create'
    | 'key.revoke'
    | 'database.grant'
    | 'weights.change'
    | 'source.change'
    | 'rejected.replay'
    | 'run.request'
    | 'run.start'
    | 'run.complete'
    | 'run.fail'
    | 'run.cancel'
  resourceType: 'key' | 'database' | 'weights' | 'event_source' | 'rejected_interaction' | 'recompute_run'
  resourceId: string
  metadata?: Record<string, unknown>
}

/** Written in the transaction of what it tells, or after it. */
export async function audit(db: Database, { actor, action, resourceType, resourceId, metadata = {} }: AuditEntry): Promise<void> {
  await sql`
    insert into audit_entry (actor, action, resource_type, resource_id, metadata)
    values (${actor}, ${action}, ${resourceType}, ${resourceId}, ${JSON.stringify(metadata)}::jsonb)`.execute(db)
}
