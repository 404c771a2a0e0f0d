import { type RawBuilder, sql } from 'kysely'
import { isUuid } from '../../contract/fields/uuid.ts'
import type { RunStatus } from '../../contract/recompute-run.ts'
import { decodeCursor, encodeCursor } from '../database/cursor.ts'
import type { Queryable } from '../database/connection.ts'

/** The runs of a table, and the name of their list in its cursors. */
interface ListedRuns {
  table: `${string}_run`
  list: string
  /** Has run_id as id. */
  columns: RawBuilder<unknown>
}

interface RunsRequest {
  status?: RunStatus | undefined
  limit: number
  cursor?: string | undefined
}

interface RunPage<Row> {
  rows: Row[]
  nextCursor: string | null
}

/** A page of the runs, the newest first. A cursor names the last run, which is never deleted. @returns undefined for a cursor of another list. */
export async function newestRuns<Row extends { id: string }>(
  db: Queryable,
  { table, list, columns }: ListedRuns,
  { status, limit, cursor }: RunsRequest,
): Promise<RunPage<Row> | undefined> {
  const [after = ''] = (cursor === undefined ? undefined : decodeCursor(list, cursor)) ?? []
  if (cursor !== undefined && !isUuid(after)) return undefined
  const isWanted = status === undefined ? sql`true` : sql`status = ${status}`
  const isBeyond =
    cursor === undefined
      ? sql`true`
      : sql`(requested_at, run_id) < (select requested_at, run_id from ${sql.table(table)} where run_id = ${after}::uuid)`
  const { rows } = await sql<Row>`
    select ${columns} from ${sql.table(table)} where ${isWanted} and ${isBeyond}
    order by requested_at desc, run_id desc limit ${limit + 1}`.execute(db)
  const shown = rows.slice(0, limit)
  const last = rows.length > limit ? shown.at(-1) : undefined
  return { rows: shown, nextCursor: last ? encodeCursor(list, [last.id]) : null }
}
