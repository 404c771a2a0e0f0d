import type { SequenceCollector } from '../../ranking/evaluation/sequences.ts'
import { StartError, UsageError } from '../../main/config/start-error.ts'
import { INTERACTION_NAMES, normalised } from '../import/mapping/header-names.ts'
import { cellOf, isBroken, type Row, textOf } from '../import/source/row.ts'
import { type FileForm, rowsOf, sourceFileOf } from '../import/source/source-file.ts'
import { readInstant, type TimeReading } from '../import/values/instant.ts'

export const FIELDS = ['shopper', 'product', 'time'] as const
export type Field = (typeof FIELDS)[number]

/** The column of each field; those that are absent are found by usual names. */
export type Columns = Partial<Record<Field, string>>

export interface RowsRead {
  leftOut: number
  /** Why the first one was left out. */
  firstReason: string | undefined
  columns: Columns
}

const USUAL: Record<Field, (isSession: boolean) => readonly string[]> = {
  shopper: (isSession) => {
    const [accounts, sessions] = [INTERACTION_NAMES['account_id']!, INTERACTION_NAMES['session_id']!]
    return isSession ? [...sessions, ...accounts] : [...accounts, ...sessions]
  },
  product: () => INTERACTION_NAMES['ref_id']!,
  time: () => INTERACTION_NAMES['occurred_at']!,
}

export interface RowsOptions {
  collector: SequenceCollector
  part: number
  columns: Columns
  form: FileForm
  /** The order of dates whose year is last. */
  timeFormat: TimeReading['format']
  /** Whether the usual names of sessions come before those of shoppers. */
  isSession: boolean
}

/** Reads an event a row. Without a column of times, rows are in the order of time. @throws StartError when the file cannot be read */
export async function readRows(
  path: string,
  { collector, part, columns: given, form, timeFormat, isSession }: RowsOptions,
): Promise<RowsRead> {
  const file = await sourceFileOf(path, form)
  let columns: Columns | undefined
  let leftOut = 0
  let firstReason: string | undefined
  for await (const { rows } of rowsOf(file)) {
    for (const row of rows) {
      columns ??= isBroken(row) ? undefined : columnsOf(row, given, path, isSession)
      const event = isBroken(row) || columns === undefined ? 'it is broken' : eventOf(row, columns, timeFormat)
      if (typeof event === 'string') {
        leftOut += 1
        firstReason ??= `line ${row.line}: ${event}`
      } else collector.add(part, event.shopper, event.product, event.time)
    }
  }
  return { leftOut, firstReason, columns: columns ?? given }
}

function eventOf(
  row: Row,
  columns: Columns,
  timeFormat: TimeReading['format'],
): { shopper: string; product: string; time: number | undefined } | string {
  const shopper = textOf(cellOf(row, columns.shopper!)).trim()
  const product = textOf(cellOf(row, columns.product!)).trim()
  if (shopper === '' || product === '') return `it has no ${shopper === '' ? 'shopper' : 'product'}`
  if (columns.time === undefined) return { shopper, product, time: undefined }
  const text = textOf(cellOf(row, columns.time)).trim()
  const time = timeOf(text, timeFormat)
  return time === undefined ? `${JSON.stringify(text)} is not a time` : { shopper, product, time }
}

/** A plain number as it is, whatever its unit, because only the order counts; any other form of a time in milliseconds. */
export function timeOf(text: string, format?: TimeReading['format']): number | undefined {
  if (/^-?\d+(?:\.\d+)?(?:e[+-]?\d+)?$/i.test(text)) return Number(text)
  const instant = readInstant(text, { offsetMinutes: 0, format })
  return typeof instant === 'string' ? Date.parse(instant) : undefined
}

function columnsOf({ columns }: Row, given: Columns, path: string, isSession: boolean): Columns {
  const found: Columns = {}
  for (const field of FIELDS) {
    const wanted = given[field]
    if (wanted !== undefined && !columns.includes(wanted)) {
      throw new UsageError(
        `${path} has no column ${JSON.stringify(wanted)}; it has ${columns.map((name) => JSON.stringify(name)).join(', ')}.`,
      )
    }
    const column = wanted ?? columns.find((name) => normalised(name) === field) ?? usual(columns, field, isSession)
    if (column !== undefined) found[field] = column
  }
  for (const field of ['shopper', 'product'] as const) {
    if (found[field] === undefined) {
      throw new StartError(
        `${path}: which column is the ${field}? Give --map ${field}=<column>, or --columns for a file without a header row.`,
      )
    }
  }
  return found
}

function usual(columns: readonly string[], field: Field, isSession: boolean): string | undefined {
  for (const name of USUAL[field](isSession)) {
    const column = columns.find((column) => normalised(column) === name)
    if (column !== undefined) return column
  }
  return undefined
}
