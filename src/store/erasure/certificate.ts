import { createHash } from 'node:crypto'
import { sql } from 'kysely'
import type { ErasureCertificate } from '../../contract/erasure.ts'
import type { Queryable } from '../database/connection.ts'
import { onlyRow } from '../database/rows.ts'

/** What a certificate is made of. */
export interface Certified {
  id: string
  /** Null before the run has begun. */
  erasedAt: Date | null
  tables: Record<string, number> | null
}

export const CERTIFIED_COLUMNS = sql`erased_at as "erasedAt", (
  select json_object_agg(table_name, erased order by table_name) from erasure_count c where c.run_id = erasure_run.run_id) as tables`

/** What a run has erased. It is the same whenever it is read, because a run that has ended changes nothing. */
export async function certificateOf(db: Queryable, runId: string): Promise<ErasureCertificate> {
  return certificateFrom(
    onlyRow(
      await sql<Certified>`select run_id as id, ${CERTIFIED_COLUMNS} from erasure_run where run_id = ${runId}::uuid`.execute(db),
    ),
  )
}

/** The certificate of a run that has erased. */
export function certificateFrom({ id: runId, erasedAt, tables }: Certified): ErasureCertificate {
  const erased_at = erasedAt!.toISOString()
  const sha256 = createHash('sha256')
    .update(certifiedText(runId, erased_at, tables ?? {}))
    .digest('hex')
  return { erased_at, tables: tables ?? {}, sha256 }
}

/** The text that a certificate's hash is of. */
export function certifiedText(runId: string, erasedAt: string, tables: Readonly<Record<string, number>>): string {
  const inOrder = Object.fromEntries(Object.entries(tables).toSorted(([one], [other]) => (one < other ? -1 : 1)))
  return JSON.stringify({ run_id: runId, erased_at: erasedAt, tables: inOrder })
}
