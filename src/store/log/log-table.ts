import type { sql } from 'kysely'
import type { Kind, KindWith } from '../../contract/kinds.ts'
import type { LogRow } from '../../admission/rows.ts'

type Sql = ReturnType<typeof sql>

/** A table of the log, as far as recording has to know it. */
export interface LogTable<Row extends LogRow> {
  /** The kind of its rows, which is also its name. */
  kind: KindWith<'isBatched'>
  /** Its columns, in the order of givenColumns. */
  columns: Sql
  /** The rows as a table, one array per column: the statement's text does not depend on their number. */
  rowsAsTable: (rows: readonly Row[]) => Sql
  /** The values of a row of `given` for the columns. */
  values: (batchId: Sql) => Sql
  /** What is joined to `given` for them. */
  joins: Sql
  /** A row of `given` as the item that a caller sends. */
  itemJson: Sql
  /** How many events counting will find in a row. */
  eventsOf: (row: Row) => number
  /** The kind of the items that callers hand in as rejected; that of the rows when undefined. */
  rejectedKind?: Kind
}

/**
 * One column of the rows. Without any value it is null, which unnest fills up: most events have no metadata, and an array of
 * a thousand nulls costs as much as values.
 */
export function columnOf<Row, Value extends string | number | boolean>(
  rows: readonly Row[],
  valueOf: (row: Row) => Value | null,
): (Value | null)[] | null {
  const values = rows.map(valueOf)
  return values.every((value) => value === null) ? null : values
}
