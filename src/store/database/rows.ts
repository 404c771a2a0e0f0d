import type { QueryResult } from 'kysely'

/** The row of a statement that always answers exactly one. @throws when it answered none, or several. */
export function onlyRow<Row>({ rows }: QueryResult<Row>): Row {
  const [row] = rows
  if (row === undefined || rows.length > 1) throw new Error(`a statement that answers one row answered ${rows.length}`)
  return row
}
