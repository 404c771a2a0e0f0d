import { sql } from 'kysely'
import { instantOf } from '../contract/time.ts'
import type { Database } from './database.ts'

/** What a source told of one of its operations. */
export interface NewAnalyticsEvent {
  /** The slug of the source; an unknown one is created. */
  source: string
  /** The source's id of the event. */
  externalRef: string
  entityId: string
  status: 'success' | 'failed' | 'pending'
  processingMs: number | null
  /** In minor units of the currency. */
  amount: number | null
  currency: string | null
  occurredAtMs: number
  payload: unknown
}

/** Records events once per source and reference; what was recorded before changes nothing. The month of each must be there. */
export async function insertAnalyticsEvents(tx: Database, events: readonly NewAnalyticsEvent[]): Promise<void> {
  if (events.length === 0) return
  await makeSources(tx, [...new Set(events.map(({ source }) => source))])
  const column = (valueOf: (event: NewAnalyticsEvent) => string | number | null) => events.map(valueOf)
  await sql`
    with given as (
      select s.source_id, e.* from unnest(
        ${column(({ source }) => source)}::text[], ${column(({ externalRef }) => externalRef)}::text[],
        ${column(({ entityId }) => entityId)}::text[], ${column(({ status }) => status)}::text[],
        ${column(({ processingMs }) => processingMs)}::int[], ${column(({ amount }) => amount)}::bigint[],
        ${column(({ currency }) => currency)}::text[], ${column(({ occurredAtMs }) => instantOf(occurredAtMs))}::timestamptz[],
        ${column(({ payload }) => JSON.stringify(payload))}::jsonb[])
        as e (slug, external_ref, entity_id, status, processing_ms, amount, currency, occurred_at, payload)
        join event_source s on s.slug = e.slug
    ), claimed as (
      insert into analytics_event_key (source_id, external_ref)
      select source_id, external_ref from given order by source_id, external_ref
      on conflict do nothing
      returning source_id, external_ref
    )
    insert into analytics_event (occurred_at, amount, source_id, processing_ms, external_ref, entity_id, status, currency, payload)
    select occurred_at, amount, source_id, processing_ms, external_ref, entity_id, status, currency, payload
    from given join claimed using (source_id, external_ref)`.execute(tx)
}

/** A conflict would use up a number all the same. */
async function makeSources(tx: Database, slugs: readonly string[]): Promise<void> {
  const { rows } = await sql<{ slug: string }>`select slug from event_source where slug = any(${slugs}::text[])`.execute(tx)
  const known = new Set(rows.map(({ slug }) => slug))
  const missing = slugs.filter((slug) => !known.has(slug)).toSorted()
  if (missing.length === 0) return
  await sql`insert into event_source (slug) select unnest(${missing}::text[]) on conflict do nothing`.execute(tx)
}
