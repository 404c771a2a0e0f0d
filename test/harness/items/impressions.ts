import { randomUUID } from 'node:crypto'
import { sql } from 'kysely'
import type { Impression } from '../../../src/contract/impression.ts'
import type { Database } from '../../../src/store/database/connection.ts'

/** An answer of a lamp and a desk for ada, now; `changes` win. */
export function impression(changes: Partial<Impression> = {}): Impression {
  return {
    recommendation_id: randomUUID(),
    shown_at: new Date().toISOString(),
    shopper_id: 'account:ada',
    strategy: 'personal',
    blend: 'similarity',
    similarity_version: 7,
    product_ids: ['lamp', 'desk'],
    ...changes,
  }
}

/** The impressions that are recorded, in the form of `impression`, the oldest first. */
export async function recordedImpressions(db: Database): Promise<Impression[]> {
  const { rows } = await sql<Omit<Impression, 'shown_at' | 'similarity_version'> & { shown_at: Date; version: string }>`
    select recommendation_id, shown_at, shopper_id, strategy, blend, similarity_version as version, product_ids
    from impression order by shown_at, recommendation_id`.execute(db)
  return rows.map(({ version, shown_at, ...row }) => ({
    ...row,
    shown_at: shown_at.toISOString(),
    similarity_version: version === '0' ? null : Number(version),
  }))
}
