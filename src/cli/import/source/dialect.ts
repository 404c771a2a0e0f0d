import { preambleOf } from './csv.ts'
import { recordAt } from './csv-lines.ts'
import type { Line } from './line.ts'

const DELIMITERS = [',', ';', '\t', '|']
const RECORDS_MAX = 100

/**
 * The delimiter with which most of the first records have as many cells as the header row; undefined when none gives two cells.
 * The names of the columns are given for a file without a header row.
 */
export function delimiterIn(
  lines: readonly Line[],
  { columns, skip }: { columns?: readonly string[] | undefined; skip?: number | undefined },
): string | undefined {
  const rows = lines.slice(preambleOf(lines, skip).length)
  const fits = DELIMITERS.map((delimiter) => ({ delimiter, ...fitOf(rows, delimiter, columns?.length) }))
  const [best] = fits.filter(({ width }) => width > 1).sort((a, b) => b.share - a.share || b.width - a.width)
  return best?.delimiter
}

/** The number of cells of the first record, and the share of records with as many cells as are expected. */
function fitOf(lines: readonly Line[], delimiter: string, expected: number | undefined): { width: number; share: number } {
  const widths: number[] = []
  for (let at = 0; at < lines.length && widths.length < RECORDS_MAX;) {
    const record = recordAt(lines, at, delimiter, true)!
    at = record.next
    if (!('blank' in record)) widths.push('cells' in record ? record.cells.length : 0)
  }
  const width = expected ?? widths[0] ?? 0
  return { width, share: widths.filter((each) => each === width).length / Math.max(widths.length, 1) }
}
