import { hash } from 'node:crypto'

/** A record of a file. Cells of CSV are texts; cells of JSON lines are any JSON values. */
export interface Row {
  /** Where it starts in its file, from 1. */
  line: number
  columns: readonly string[]
  cells: readonly unknown[]
  /** For a row that is made of an element of a list in a record: the row of the record. */
  record?: Row
  /** The place of that element, from 0. */
  element?: number
  /** Its number among the equal rows of its file, where each of them is an event of its own; absent for the first. */
  occurrence?: number
}

/** A record that cannot be read. */
export interface BrokenRow {
  line: number
  reason: string
  text: string
}

/** The bound of a record, because one stray quote would otherwise read the rest of the file into memory. */
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

/** The record of a row as an object, for the file of rejected rows. */
export function shownRow({ record, ...itself }: Row): Record<string, unknown> {
  const row = record ?? itself
  return Object.fromEntries(row.columns.map((column, index) => [column, row.cells[index]]))
}

/**
 * The UUIDv8 (RFC 9562, section 5.8) of a row's content, so that equal rows are one event. Its file, its line and the rules are left
 * out, because a row is recorded once, whatever it is mapped to. Each element of a list in a record has an id of its own, and so has
 * each row with a number among its equals.
 */
export function eventIdOf(row: Row): string {
  const { columns, cells, occurrence } = row.record ?? row
  const id = uuidOf([columns, cells.map(canonical), ...(row.element === undefined ? [] : [row.element])])
  return occurrence === undefined ? id : uuidOf([id, 'occurrence', occurrence])
}

/** The id of an element of the event that has this id. */
export function elementIdOf(eventId: string, element: number): string {
  return uuidOf([eventId.toLowerCase(), element])
}

function uuidOf(content: unknown): string {
  const digest = hash('sha256', JSON.stringify(content), 'hex')
  const variant = ((Number.parseInt(digest[16]!, 16) & 3) | 8).toString(16)
  return `${digest.slice(0, 8)}-${digest.slice(8, 12)}-8${digest.slice(13, 16)}-${variant}${digest.slice(17, 20)}-${digest.slice(20, 32)}`
}

/** The same JSON value with the keys of every object sorted. */
function canonical(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(canonical)
  return Object.entries(value)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, inner]) => [key, canonical(inner)])
}
