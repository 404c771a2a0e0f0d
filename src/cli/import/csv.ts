import { OPEN, splitRecord } from './csv-record.ts'
import { type Line, problemOf, withoutReturn } from './line.ts'
import { type BrokenRow, RECORD_CHARACTERS_MAX, type Row } from './row.ts'
import { StartError } from '../../main/config/start-error.ts'

export interface CsvForm {
  delimiter: string
  /** Column names, for a file without a header row. */
  columns?: readonly string[] | undefined
}

/** The record that starts at a line, and the index of the line after it. */
type Found = { line: number; next: number } & ({ cells: string[] } | { reason: string; text: string } | { blank: true })

const NEVER_CLOSED = 'has a quote that is never closed'

/**
 * Reads RFC 4180 records from lines. csv-parse was rejected: one stray quote silently loses the rest of the file, and a CRLF inside
 * quotes counts as two lines. Here a broken record costs its first line, and reading continues with the next line.
 */
export async function* csvRows(lines: AsyncIterable<Line[]>, form: CsvForm): AsyncGenerator<(Row | BrokenRow)[]> {
  let columns = form.columns
  let waiting: Line[] = []
  async function* chunks(): AsyncGenerator<{ lines: Line[]; isLast: boolean }> {
    for await (const chunk of lines) yield { lines: waiting.concat(chunk), isLast: false }
    yield { lines: waiting, isLast: true }
  }
  for await (const { lines, isLast } of chunks()) {
    const rows: (Row | BrokenRow)[] = []
    let at = 0
    while (at < lines.length) {
      const record = recordAt(lines, at, form.delimiter, columns?.length, isLast)
      if (record === undefined) break
      at = record.next
      if (columns === undefined && 'cells' in record) columns = headerOf(record.cells)
      else if (columns !== undefined) rows.push(...rowOf(record, columns))
      else if ('reason' in record) throw new StartError(`the header row ${record.reason}`)
    }
    waiting = lines.slice(at)
    yield rows
  }
}

/** The record that starts at a line and may span further lines; undefined when it needs lines that are not read yet. */
function recordAt(
  lines: readonly Line[],
  at: number,
  delimiter: string,
  cellsExpected: number | undefined,
  isLast: boolean,
): Found | undefined {
  const { number, text: first } = lines[at]!
  const broken = (reason: string) => ({ line: number, next: at + 1, reason, text: withoutReturn(first) })
  if (first === '' || first === '\r') return { line: number, next: at + 1, blank: true }
  let text = first
  for (let end = at; ; text += `\n${lines[end]!.text}`) {
    const problem = problemOf(lines[end]!.text) ?? (text.length > RECORD_CHARACTERS_MAX ? NEVER_CLOSED : undefined)
    if (problem !== undefined) return broken(problem)
    const mayClose = end === at || lines[end]!.text.includes('"')
    const split = mayClose ? splitRecord(withoutReturn(text), delimiter) : OPEN
    if ('reason' in split) return broken(split.reason)
    if ('cells' in split) {
      const count = split.cells.length
      if (cellsExpected === undefined || count === cellsExpected) return { line: number, next: end + 1, cells: split.cells }
      return broken(`has ${count} cells and not ${cellsExpected}`)
    }
    if (++end === lines.length) return isLast ? broken(NEVER_CLOSED) : undefined
  }
}

function rowOf(record: Found, columns: readonly string[]): (Row | BrokenRow)[] {
  if ('blank' in record) return []
  if ('cells' in record) return [{ line: record.line, columns, cells: record.cells }]
  return [{ line: record.line, reason: record.reason, text: record.text }]
}

function headerOf(cells: readonly string[]): readonly string[] {
  const columns = cells.map((cell) => cell.trim())
  const twice = columns.find((column, index) => columns.indexOf(column) !== index)
  if (twice !== undefined) throw new StartError(`the header row has ${JSON.stringify(twice)} twice`)
  return columns
}
