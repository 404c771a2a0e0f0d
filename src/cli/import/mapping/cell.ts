import { cellOf, type Row } from '../source/row.ts'

/** What is done to cells before rules see them. The id of a row is made of its cells as they are. */
export interface Cleaning {
  /** Texts that stand for an empty cell. */
  nulls: ReadonlySet<string>
  /** Whether blanks around texts are removed. */
  isTrimmed: boolean
}

/** The value of a column for a rule; undefined when the row does not have it. */
export function cleanCellOf(row: Row, column: string, cleaning: Cleaning | undefined): unknown {
  const cell = cellOf(row, column)
  if (cleaning === undefined) return cell
  const trimmed = cleaning.isTrimmed && typeof cell === 'string' ? cell.trim() : cell
  const isText = typeof trimmed === 'string' || typeof trimmed === 'number'
  return isText && cleaning.nulls.has(String(trimmed)) ? '' : trimmed
}
