import { type CsvRecord, recordAt } from './csv-lines.ts'
import type { Line } from './line.ts'
import type { BrokenRow, Row } from './row.ts'
import { StartError } from '../../../main/config/start-error.ts'

/** `pad` gives a short row empty cells and drops empty cells after the last column; `refuse` takes only rows of the full width. */
export type Ragged = 'pad' | 'refuse'

export interface CsvForm {
  delimiter: string
  /** Column names, for a file without a header row. */
  columns?: readonly string[] | undefined
  ragged?: Ragged | undefined
  /** How many lines come before the header row, or before the first row of a file without one. */
  skip?: number | undefined
}

/** A first line such as `sep=;`, with which spreadsheets name the delimiter. A program may have added empty cells to it. */
const SEPARATOR_LINE = /^"?sep=(\\t|.)"?\1*\s*$/i

/**
 * Reads the rows of RFC 4180 records. csv-parse was rejected: one stray quote silently loses the rest of the file, and a CRLF inside
 * quotes counts as two lines. Here a broken record costs its first line, and reading continues with the next line.
 * @throws StartError when the header row is no record.
 */
export async function* csvRows(lines: AsyncIterable<Line[]>, form: CsvForm): AsyncGenerator<(Row | BrokenRow)[]> {
  const rowsOf = createRowReader(form)
  let isPreamble = true
  let waiting: Line[] = []
  async function* chunks(): AsyncGenerator<{ lines: Line[]; isLast: boolean }> {
    for await (const chunk of lines) yield { lines: waiting.concat(chunk), isLast: false }
    yield { lines: waiting, isLast: true }
  }
  for await (const { lines, isLast } of chunks()) {
    const rows: (Row | BrokenRow)[] = []
    let at: number = isPreamble ? preambleOf(lines, form.skip).length : 0
    isPreamble &&= at === lines.length
    while (at < lines.length) {
      const record = recordAt(lines, at, form.delimiter, isLast)
      if (record === undefined) break
      const row = rowsOf(record)
      at = row !== undefined && 'reason' in row ? record.line - lines[0]!.number + 1 : record.next
      if (row !== undefined) rows.push(row)
    }
    waiting = lines.slice(at)
    yield rows
  }
}

/** The lines before the header row, or before the first row of a file without one: skipped ones, `sep=;`, comments and blank lines. */
export function preambleOf(lines: readonly Line[], skip = 0): Line[] {
  const first = lines.findIndex(
    ({ number, text }) => number > skip && !(text === '' || text.startsWith('#') || (number === 1 && SEPARATOR_LINE.test(text))),
  )
  return lines.slice(0, first === -1 ? lines.length : first)
}

/** Whether a line with `#` is above the header row. */
export function hasComment(lines: readonly Line[], skip = 0): boolean {
  return preambleOf(lines, skip).some(({ number, text }) => number > skip && text.startsWith('#'))
}

/** The delimiter that the first line names; undefined when it names none. */
export function namedDelimiter(lines: readonly Line[]): string | undefined {
  return SEPARATOR_LINE.exec(lines[0]?.text ?? '')?.[1]?.replace(String.raw`\t`, '\t')
}

/** Reads records as rows; undefined for a blank record, for the header and for its repetitions in a file of joined files. */
function createRowReader(form: CsvForm): (record: CsvRecord) => Row | BrokenRow | undefined {
  let columns = form.columns
  let header = form.columns
  return (record) => {
    if ('blank' in record) return undefined
    if ('reason' in record) {
      if (columns === undefined) throw new StartError(`the header row ${record.reason} (is it CSV?)`)
      return { line: record.line, reason: record.reason, text: record.text }
    }
    if (columns === undefined || header === undefined) {
      header = record.cells
      columns = headerOf(header)
      return undefined
    }
    const cells = fittedTo(columns.length, record.cells, form.ragged)
    if (cells === undefined) {
      return { line: record.line, reason: widthProblem(record.cells.length, columns.length), text: record.text }
    }
    const isLeftOut = isRepeated(header, cells) || (isBlank(cells) && !record.text.includes('"'))
    return isLeftOut ? undefined : { line: record.line, columns, cells }
  }
}

/** A title above the header row is often the only cell of its line. */
function widthProblem(count: number, expected: number): string {
  return `has ${count} cells and not ${expected} (see ${expected === 1 ? '--skip for lines before the header row, and ' : ''}--ragged)`
}

function headerOf(cells: readonly string[]): readonly string[] {
  const columns = cells.map((cell) => cell.trim())
  const twice = columns.find((column, index) => column !== '' && columns.indexOf(column) !== index)
  if (twice !== undefined)
    throw new StartError(
      `the header row has ${JSON.stringify(twice)} twice (name the columns with --columns, and leave out this row with --skip)`,
    )
  return columns
}

/** As many cells as there are columns; undefined when the record has another number of them. */
function fittedTo(count: number, cells: readonly string[], ragged: Ragged = 'refuse'): readonly string[] | undefined {
  if (cells.length === count) return cells
  if (ragged === 'refuse') return undefined
  if (cells.length < count) return [...cells, ...Array<string>(count - cells.length).fill('')]
  return isBlank(cells.slice(count)) ? cells.slice(0, count) : undefined
}

function isRepeated(header: readonly string[], cells: readonly string[]): boolean {
  return cells[0] === header[0] && cells.every((cell, index) => cell === header[index])
}

/** Spreadsheets write such rows below their last one, without quotes. */
function isBlank(cells: readonly string[]): boolean {
  return cells.every((cell) => cell === '')
}
