import { type ParquetFile, rowsOfParquet } from '../parquet/file.ts'
import { type BrokenRow, RECORD_CHARACTERS_MAX, type Row, textOf } from './row.ts'

const SHOWN_CHARACTERS_MAX = 1_000

/** Reads the rows of a Parquet file in the form of those of JSON lines; a row has its number for a line. */
export async function* parquetRows(file: ParquetFile): AsyncGenerator<{ rows: (Row | BrokenRow)[]; bytes: number }> {
  let line = 0
  for await (const { columns, rows, bytes } of rowsOfParquet(file)) {
    yield { rows: rows.map((cells) => rowOf({ line: ++line, columns, cells })), bytes }
  }
}

function rowOf(row: Row): Row | BrokenRow {
  const characters = row.cells.reduce<number>((sum, cell) => sum + (typeof cell === 'string' ? cell.length : sizeOf(cell)), 0)
  if (characters <= RECORD_CHARACTERS_MAX) return row
  const text = row.cells.map(textOf).join(' ').slice(0, SHOWN_CHARACTERS_MAX)
  return { line: row.line, reason: `is longer than ${RECORD_CHARACTERS_MAX} characters`, text }
}

/** The characters of a list or an object. Other values have few. */
function sizeOf(cell: unknown): number {
  return typeof cell === 'object' && cell !== null ? textOf(cell).length : 0
}
