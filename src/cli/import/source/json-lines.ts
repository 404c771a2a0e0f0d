import { jsonRowOf } from './json-record.ts'
import type { Line } from './line.ts'
import type { BrokenRow, Row } from './row.ts'

/** Before a record may stand the mark of a JSON text sequence (RFC 7464), and the byte order mark of a file that was joined to others. */
const MARKS = ['\u001E', '\uFEFF']

/** Reads one JSON object per line. Blank lines are skipped. */
export async function* jsonRows(lines: AsyncIterable<Line[]>): AsyncGenerator<(Row | BrokenRow)[]> {
  for await (const chunk of lines) {
    yield chunk
      .map((line) => (MARKS.includes(line.text.charAt(0)) ? { ...line, text: line.text.slice(1) } : line))
      .filter(({ text }) => text.trim() !== '')
      .map(jsonRowOf)
  }
}
