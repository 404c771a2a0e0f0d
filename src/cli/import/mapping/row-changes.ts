import { cellOf, type Row, textOf } from '../source/row.ts'

/** What is done to rows before rules see them. The id of a row is made of its cells as they are. */
export interface RowChanges {
  /** An empty cell of these columns has the value of the row above, if both rows have the same text in the column `same`. */
  fillDown?: { same: string; columns: readonly string[] }
  /** Columns whose texts have several values, each with the text between them; the first value counts. */
  firstOf?: Readonly<Record<string, string>>
}

/** Changes the rows of files in their order. It remembers one row. */
export function createRowChanger({ fillDown, firstOf }: RowChanges): (row: Row) => Row {
  let above: Row | undefined
  return (row) => {
    const filled = fillDown === undefined ? row.cells : filledCells(row, above, fillDown)
    above = { ...row, cells: filled }
    return { ...row, cells: firstOf === undefined ? filled : firstValues(row.columns, filled, firstOf), record: row }
  }
}

function filledCells(row: Row, above: Row | undefined, { same, columns }: Required<RowChanges>['fillDown']): readonly unknown[] {
  const key = textOf(cellOf(row, same))
  if (above === undefined || key === '' || key !== textOf(cellOf(above, same))) return row.cells
  return row.cells.map((cell, index) => {
    const column = row.columns[index]!
    return textOf(cell) === '' && columns.includes(column) ? cellOf(above, column) : cell
  })
}

/** A list of JSON is no such text: its path gives its first value. */
function firstValues(
  columns: readonly string[],
  cells: readonly unknown[],
  firstOf: Readonly<Record<string, string>>,
): unknown[] {
  return cells.map((cell, index) => {
    const between = firstOf[columns[index]!]
    return between !== undefined && typeof cell === 'string' && !cell.startsWith('[') ? cell.split(between, 1)[0] : cell
  })
}
