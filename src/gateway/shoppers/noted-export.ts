import { randomBytes } from 'node:crypto'
import { uuidV7 } from '../../contract/fields/event-id.ts'
import type { ExportStatus } from '../../contract/person-export.ts'
import { shopperApi } from '../../contract/services.ts'
import type { Ingress } from '../../ingress/clients.ts'
import { unknownOutcome } from '../recording/unknown-outcome.ts'

/** By whom a person is exported. */
interface By {
  actor: string
  requested_by?: string
}

/** An export whose beginning is noted, and that gets its end. */
export interface NotedExport {
  /** Counts the rows that pass. */
  counted: (rows: AsyncGenerator<string>) => AsyncGenerator<string>
  /** Passes chunks on, and notes at their end whether all were read. */
  sent: (chunks: AsyncGenerator<string>) => AsyncGenerator<string>
  /** Notes that nothing is sent. */
  cutOff: () => Promise<void>
}

/**
 * Hands the note of an export to Restate, which keeps it until it is in the database. Nothing is read before, so that no export is missing
 * in the audit trail. @throws DecidedError when Restate does not answer.
 */
export async function noteExport(ingress: Ingress, by: By): Promise<NotedExport> {
  const id = uuidV7(Date.now(), randomBytes(10))
  let rows = 0
  const note = (status: ExportStatus) => {
    const noted = { export_id: id, status, ...(status !== 'started' && { rows }), ...by }
    return ingress.send(shopperApi, 'NoteExport', noted, { idempotencyKey: `${id}-${status}` })
  }
  // What was sent was sent: an end that cannot be noted fails nothing, and the export stays `started`.
  const noteEnd = (status: ExportStatus) =>
    note(status).then(
      () => undefined,
      () => undefined,
    )
  await note('started').catch((error: unknown) => {
    throw unknownOutcome(error, 'but nothing was exported: ask again')
  })
  return {
    counted: async function* (all) {
      for await (const row of all) {
        rows++
        yield row
      }
    },
    sent: async function* (chunks) {
      let status: ExportStatus = 'cut_off'
      try {
        yield* chunks
        status = 'completed'
      } finally {
        await noteEnd(status)
      }
    },
    cutOff: () => noteEnd('cut_off'),
  }
}
