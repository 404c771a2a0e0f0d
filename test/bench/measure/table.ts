export type Cell = string | number

/** Prints a table with texts aligned left and numbers aligned right. */
export function printTable(heads: readonly string[], rows: readonly (readonly Cell[])[]): void {
  const texts = rows.map((row) => row.map((cell) => (typeof cell === 'number' ? formatNumber(cell) : cell)))
  const widths = heads.map((head, column) => Math.max(head.length, ...texts.map((row) => row[column]!.length)))
  const line = (cells: readonly string[], isRight: (column: number) => boolean) =>
    console.log(
      cells
        .map((cell, i) => (isRight(i) ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)))
        .join('  ')
        .trimEnd(),
    )
  const isNumber = (column: number) => rows.every((row) => typeof row[column] === 'number')
  line(heads, isNumber)
  for (const row of texts) line(row, isNumber)
  console.log()
}

function formatNumber(value: number): string {
  return Number.isInteger(value) ? value.toLocaleString('en') : value.toFixed(value < 100 ? 2 : 1)
}
