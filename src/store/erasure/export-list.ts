import { sql } from 'kysely'
import type { ExportsRequest, ExportsResponse, ExportStatus, NoteExport, PersonExport } from '../../contract/person-export.ts'
import { isUuid } from '../../contract/fields/uuid.ts'
import { audit, type AuditAction } from '../audit/audit-entry.ts'
import type { Database, Queryable } from '../database/connection.ts'
import { decodeCursor, encodeCursor } from '../database/cursor.ts'
import { onlyRow } from '../database/rows.ts'

const ACTIONS = {
  started: 'export.start',
  completed: 'export.complete',
  cut_off: 'export.cut_off',
} as const satisfies Record<ExportStatus, AuditAction>

/**
 * Notes the beginning or the end of an export, with its audit entry. The same again changes nothing, and nothing follows an end. An end that
 * comes first, because the two are calls of their own, notes the beginning too. Its time is that of the id, which the gateway makes then.
 */
export async function noteExport(db: Database, noted: NoteExport): Promise<PersonExport> {
  const { export_id: id, status, actor, requested_by: requestedBy = null, rows: count = null } = noted
  await db.transaction().execute(async (tx) => {
    const { rows } = await sql<{ isNew: boolean }>`
      insert into person_export as known (export_id, started_at, status, actor, requested_by, rows, finished_at)
      values (${id}::uuid, least(uuid_extract_timestamp(${id}::uuid), now()), ${status}, ${actor}, ${requestedBy}, ${count},
        case when ${status} <> 'started' then now() end)
      on conflict (export_id) do update
        set status = excluded.status, rows = excluded.rows, finished_at = excluded.finished_at
        where known.status = 'started' and excluded.status <> 'started'
      returning old.export_id is null as "isNew"`.execute(tx)
    if (rows[0] === undefined) return
    const by = requestedBy !== null && { requested_by: requestedBy }
    const entry = { actor, resourceType: 'person_export', resourceId: id } as const
    if (rows[0].isNew) await audit(tx, { ...entry, action: ACTIONS.started, metadata: { ...by } })
    if (status === 'started') return
    await audit(tx, { ...entry, action: ACTIONS[status], metadata: { ...by, ...(count !== null && { rows: count }) } })
  })
  const result = await sql<StoredExport>`select ${COLUMNS} from person_export where export_id = ${id}::uuid`.execute(db)
  return exportOf(onlyRow(result))
}

interface StoredExport {
  id: string
  status: ExportStatus
  actor: string
  requestedBy: string | null
  startedAt: Date
  finishedAt: Date | null
  rows: string | null
}

const COLUMNS = sql`export_id as id, status, actor, requested_by as "requestedBy", started_at as "startedAt", finished_at as "finishedAt", rows`
const LIST = 'exports'

/** A page of the exports, the newest first. @returns undefined for a cursor of another list. */
export async function listExports(db: Queryable, { limit, cursor }: ExportsRequest): Promise<ExportsResponse | undefined> {
  const [after = ''] = (cursor === undefined ? undefined : decodeCursor(LIST, cursor)) ?? []
  if (cursor !== undefined && !isUuid(after)) return undefined
  const isBeyond =
    cursor === undefined
      ? sql`true`
      : sql`(started_at, export_id) < (select started_at, export_id from person_export where export_id = ${after}::uuid)`
  const { rows } = await sql<StoredExport>`
    select ${COLUMNS} from person_export where ${isBeyond} order by started_at desc, export_id desc limit ${limit + 1}`.execute(
    db,
  )
  const shown = rows.slice(0, limit)
  const last = rows.length > limit ? shown.at(-1) : undefined
  return { data: shown.map(exportOf), meta: { next_cursor: last ? encodeCursor(LIST, [last.id]) : null } }
}

function exportOf({ requestedBy, startedAt, finishedAt, rows, ...stored }: StoredExport): PersonExport {
  return {
    ...stored,
    requested_by: requestedBy,
    started_at: startedAt.toISOString(),
    ...(finishedAt !== null && { finished_at: finishedAt.toISOString() }),
    ...(rows !== null && { rows: Number(rows) }),
  }
}
