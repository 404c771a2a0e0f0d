import { sql } from 'kysely'
import type { Database } from '../database/connection.ts'
import { onlyRow } from '../database/rows.ts'

export interface WaitingDeltas {
  deltas: number
  /** Age of the oldest one; null when none waits. */
  oldestSeconds: number | null
}

/** What is not folded yet. Reads every delta. */
export async function waitingDeltas(db: Database): Promise<WaitingDeltas> {
  const result = await sql<WaitingDeltas>`
    select count(*)::int as deltas, extract(epoch from now() - min(changed_at))::float8 as "oldestSeconds"
    from product_metric_delta`.execute(db)
  return onlyRow(result)
}
