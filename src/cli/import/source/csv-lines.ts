import { OPEN, splitRecord } from './csv-record.ts'
import { type Line, problemOf } from './line.ts'
import { RECORD_CHARACTERS_MAX } from './row.ts'

/** The record that starts at a line: its first line, and the index of the line after it. */
export type CsvRecord = { line: number; next: number } & (
  { cells: string[]; text: string } | { reason: string; text: string } | { blank: true }
)

const BYTE_ORDER_MARK = 0xfeff
const BLANK = 0x20
const NEVER_CLOSED = 'has a quote that is never closed'

/** The record that starts at a line and may span further lines; undefined when it needs lines that are not read yet. */
export function recordAt(lines: readonly Line[], at: number, delimiter: string, isLast: boolean): CsvRecord | undefined {
  const { number } = lines[at]!
  const first = withoutMark(lines[at]!.text)
  const broken = (reason: string) => ({ line: number, next: at + 1, reason, text: first })
  if (isBlank(first, delimiter)) return { line: number, next: at + 1, blank: true }
  let text = first
  for (let end = at; ; text += lines[end - 1]!.end + lines[end]!.text) {
    const problem = problemOf(lines[end]!.text) ?? (text.length > RECORD_CHARACTERS_MAX ? NEVER_CLOSED : undefined)
    if (problem !== undefined) return broken(problem)
    const mayClose = end === at || lines[end]!.text.includes('"')
    const split = mayClose ? splitRecord(text, delimiter) : OPEN
    if ('reason' in split) return broken(split.reason)
    if ('cells' in split) return { line: number, next: end + 1, cells: split.cells, text: first }
    if (++end === lines.length) return isLast ? broken(NEVER_CLOSED) : undefined
  }
}

/** Files that were joined may each have a byte order mark. */
function withoutMark(text: string): string {
  return text.charCodeAt(0) === BYTE_ORDER_MARK ? text.slice(1) : text
}

/** Old programs end a file with the control character SUB. */
function isBlank(text: string, delimiter: string): boolean {
  if (text === '' || text === '\u001A') return true
  return text.charCodeAt(0) <= BLANK && text.trim() === '' && !text.includes(delimiter)
}
