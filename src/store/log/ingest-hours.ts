import { sql } from 'kysely'
import { INGEST_KINDS, type IngestKind, type IngestResponse } from '../../contract/ingest.ts'
import { HOUR_MS } from '../../contract/fields/time.ts'
import type { Queryable } from '../database/connection.ts'
import { onlyRow } from '../database/rows.ts'
import { type IngestCounts, summedIngest } from './ingest.ts'

const NOTHING: IngestCounts = { accepted: 0, duplicates: 0, rejected: 0 }

interface Counted extends IngestCounts {
  hourMs: number
  kind: IngestKind
}

/** What came in in each of the last hours, the running one last. */
export async function ingestHours(db: Queryable, hours: number): Promise<IngestResponse> {
  const from = sql`date_trunc('hour', now(), 'UTC') - ${hours - 1} * interval '1 hour'`
  const applied = await sql<{ since: Date }>`select applied_at as since from migration where name = '0036_ingest.sql'`.execute(db)
  const result = await sql<{ from: Date; to: Date; counted: Counted[] | null }>`
    select ${from} as "from", now() as "to",
      (select json_agg(json_build_object('hourMs', (extract(epoch from hour) * 1000)::bigint, 'kind', kind, 'accepted', accepted,
        'duplicates', duplicates, 'rejected', rejected)) from (${summedIngest(from)}) sums) as counted`.execute(db)
  const { from: first, to, counted } = onlyRow(result)
  const { since } = onlyRow(applied)
  const byCell = new Map((counted ?? []).map(({ hourMs, kind, ...counts }) => [`${hourMs} ${kind}`, counts]))
  const data = Array.from({ length: hours }, (_, n) => {
    const hourMs = first.getTime() + n * HOUR_MS
    const kinds = INGEST_KINDS.map((kind) => ({ kind, ...(byCell.get(`${hourMs} ${kind}`) ?? NOTHING) }))
    return { hour: new Date(hourMs).toISOString(), kinds }
  })
  return { data, meta: { from: first.toISOString(), to: to.toISOString(), counted_since: since.toISOString() } }
}
