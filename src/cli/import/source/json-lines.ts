import { jsonRowOf } from './json-record.ts'
import type { Line } from './line.ts'
import type { BrokenRow, Row } from './row.ts'

/** The mark before each record of a JSON text sequence (RFC 7464). */
const RECORD_SEPARATOR = '\u001E'

/** Reads one JSON object per line. Blank lines are skipped. */
export async function* jsonRows(lines: AsyncIterable<Line[]>): AsyncGenerator<(Row | BrokenRow)[]> {
  for await (const chunk of lines) {
    yield chunk
      .map((line) => (line.text.startsWith(RECORD_SEPARATOR) ? { ...line, text: line.text.slice(1) } : line))
      .filter(({ text }) => text.trim() !== '')
      .map(jsonRowOf)
  }
}
