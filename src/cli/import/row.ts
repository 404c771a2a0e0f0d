import { hash } from 'node:crypto'

/** One record of a file. Cells of a CSV file are texts; those of JSON lines are whatever JSON has. */
export interface Row {
  /** Where it starts in its file, from 1. */
  line: number
  columns: readonly string[]
  cells: readonly unknown[]
}

/** A record that cannot be read. */
export interface BrokenRow {
  line: number
  reason: string
  text: string
}

/** A record may not grow beyond this: one stray quote would otherwise take the rest of the file into memory. */
export const RECORD_CHARACTERS_MAX = 256 * 1024

export function isBroken(row: Row | BrokenRow): row is BrokenRow {
  return 'reason' in row
}

/** The value of a column; undefined when the row does not have it. */
export function cellOf(row: Row, column: string): unknown {
  return row.cells[row.columns.indexOf(column)]
}

/** A cell as text; '' for an absent one. */
export function textOf(cell: unknown): string {
  if (typeof cell === 'string') return cell
  if (cell === undefined || cell === null) return ''
  return JSON.stringify(cell)
}

/** A row as an object, to be shown. */
export function shownRow(row: Row): Record<string, unknown> {
  return Object.fromEntries(row.columns.map((column, index) => [column, row.cells[index]]))
}

/**
 * The UUIDv8 (RFC 9562, section 5.8) of a row's content, so that the same row is the same event wherever and however often
 * it is found. Its file and line are left out, and so are the rules: a row is recorded once, whatever it is mapped to.
 */
export function eventIdOf(row: Row): string {
  const digest = hash('sha256', JSON.stringify([row.columns, row.cells.map(canonical)]), 'hex')
  const variant = ((Number.parseInt(digest[16]!, 16) & 3) | 8).toString(16)
  return `${digest.slice(0, 8)}-${digest.slice(8, 12)}-8${digest.slice(13, 16)}-${variant}${digest.slice(17, 20)}-${digest.slice(20, 32)}`
}

/** The same JSON value with the keys of every object in order. */
function canonical(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(canonical)
  return Object.entries(value)
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([key, inner]) => [key, canonical(inner)])
}
