import type { IngestKind } from '../../../src/contract/ingest.ts'
import type { Database } from '../../../src/store/database/connection.ts'
import type { IngestCounts } from '../../../src/store/log/ingest.ts'
import { ingestHours } from '../../../src/store/log/ingest-hours.ts'

/** The counts of the kinds of which something came, in the last two hours, because an hour may end during a test. */
export async function counted(db: Database): Promise<Partial<Record<IngestKind, IngestCounts>>> {
  const { data } = await ingestHours(db, 2)
  const sums: Partial<Record<IngestKind, IngestCounts>> = {}
  for (const { kind, ...counts } of data.flatMap(({ kinds }) => kinds)) {
    if (counts.accepted + counts.duplicates + counts.rejected === 0) continue
    const { accepted, duplicates, rejected } = sums[kind] ?? { accepted: 0, duplicates: 0, rejected: 0 }
    sums[kind] = {
      accepted: accepted + counts.accepted,
      duplicates: duplicates + counts.duplicates,
      rejected: rejected + counts.rejected,
    }
  }
  return sums
}
