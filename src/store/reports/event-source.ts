import { sql } from 'kysely'
import type { Queryable, Database } from '../database/connection.ts'
import { audit } from '../audit/audit-entry.ts'
import { onlyRow } from '../database/rows.ts'

/** A system that sends analytics events. */
interface EventSource {
  slug: string
  provider_name: string | null
  description: string | null
  is_active: boolean
}

export interface SourceChanges {
  providerName?: string | undefined
  description?: string | undefined
  isActive?: boolean | undefined
}

/** By slug. */
export async function eventSources(db: Queryable): Promise<EventSource[]> {
  const { rows } = await sql<EventSource>`
    select slug, provider_name, description, is_active from event_source order by slug`.execute(db)
  return rows
}

/** Changes the named fields of a source, and creates the source when it is new. Writes an audit entry if anything changed. */
export async function changeSource(db: Database, slug: string, changes: SourceChanges, actor: string): Promise<EventSource> {
  const { providerName = null, description = null, isActive = null } = changes
  return db.transaction().execute(async (tx) => {
    await sql`insert into event_source (slug) values (${slug}) on conflict do nothing`.execute(tx)
    const before = await lockedSource(tx, slug)
    const source: EventSource = {
      slug,
      provider_name: providerName ?? before.provider_name,
      description: description ?? before.description,
      is_active: isActive ?? before.is_active,
    }
    if (JSON.stringify(source) === JSON.stringify(before)) return source
    await sql`
      update event_source set provider_name = ${source.provider_name}, description = ${source.description}, is_active = ${source.is_active}
      where slug = ${slug}`.execute(tx)
    const metadata = { provider_name: source.provider_name, description: source.description, is_active: source.is_active }
    await audit(tx, { actor, action: 'source.change', resourceType: 'event_source', resourceId: slug, metadata })
    return source
  })
}

async function lockedSource(tx: Queryable, slug: string): Promise<EventSource> {
  const result = await sql<EventSource>`
    select slug, provider_name, description, is_active from event_source where slug = ${slug} for update`.execute(tx)
  return onlyRow(result)
}
