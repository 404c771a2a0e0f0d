import type { sql } from 'kysely'
import type { Kind, KindWith } from '../../contract/kinds.ts'
import { instantOf } from '../../contract/fields/time.ts'
import { columnOf } from '../database/column.ts'
import type { LogRow } from '../../admission/rows.ts'

type Sql = ReturnType<typeof sql>

/** What recording needs to know about a table of the log. */
export interface LogTable<Row extends LogRow> {
  /** The kind of its rows, which is also the table's name. */
  kind: KindWith<'isBatched'>
  /** Its columns, in the order of `values`. */
  columns: Sql
  /** The rows as a table, one array per column: the statement's text does not depend on their number. */
  rowsAsTable: (rows: readonly Row[]) => Sql
  /** The values of a row `given` for the columns. */
  values: (batchId: Sql) => Sql
  /** What is joined to `given` for these values. */
  joins: Sql
  /** A row `given` as the item that a caller sends. */
  itemJson: Sql
  /** The slots of the products of a row `given`; null for none. */
  productSlots: Sql
  /** How many events of a row will be counted. */
  eventsOf: (row: Row) => number
  /** What a trigger adds elsewhere for the inserted rows, as a statement where there is no trigger. */
  added?: {
    /** The columns of `inserted` that it needs. */
    columns: Sql
    insert: Sql
  }
  /** The kind of rejected events that a caller passes in; the kind of the rows when undefined. */
  rejectedKind?: Kind | 'record'
}

/** The column sent_at of the rows, in milliseconds of UTC. */
export function sentAtOf(rows: readonly LogRow[]): string | null {
  return columnOf(rows, ({ sentAtMs }) => (sentAtMs === undefined ? null : instantOf(sentAtMs)))
}
