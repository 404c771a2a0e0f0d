import type { SequenceCollector } from '../../ranking/evaluation/sequences.ts'
import { StartError, UsageError } from '../../main/config/start-error.ts'
import { INTERACTION_NAMES, normalised } from '../import/mapping/header-names.ts'
import { cellOf, isBroken, type Row, textOf } from '../import/source/row.ts'
import { type FileForm, rowsOf, sourceFileOf } from '../import/source/source-file.ts'
import type { TimeReading } from '../import/values/instant.ts'
import { type WrittenTime, writtenTimeOf } from './split-time.ts'

export const FIELDS = ['shopper', 'product', 'time'] as const
export type Field = (typeof FIELDS)[number]

/** The column of each field; those that are absent are found by usual names. */
export type Columns = Partial<Record<Field, string>>

export interface RowsRead {
  leftOut: number
  /** Why the first one was left out. */
  firstReason: string | undefined
  columns: Columns
  /** How the times are written; undefined without any. */
  timesAre: WrittenTime['is'] | undefined
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
  let timesAre: WrittenTime['is'] | undefined
  for await (const { rows } of rowsOf(file)) {
    for (const row of rows) {
      columns ??= isBroken(row) ? undefined : columnsOf(row, given, path, isSession)
      const event = isBroken(row) || columns === undefined ? 'it is broken' : eventOf(row, columns, { timeFormat, timesAre })
      if (typeof event === 'string') {
        leftOut += 1
        firstReason ??= `line ${row.line}: ${event}`
        continue
      }
      timesAre ??= event.time?.is
      collector.add(part, event.shopper, event.product, event.time?.value)
    }
  }
  return { leftOut, firstReason, columns: columns ?? given, timesAre }
}

function eventOf(
  row: Row,
  columns: Columns,
  { timeFormat, timesAre }: { timeFormat: TimeReading['format']; timesAre: WrittenTime['is'] | undefined },
): { shopper: string; product: string; time: WrittenTime | undefined } | string {
  const shopper = textOf(cellOf(row, columns.shopper!)).trim()
  const product = textOf(cellOf(row, columns.product!)).trim()
  if (shopper === '' || product === '') return `it has no ${shopper === '' ? 'shopper' : 'product'}`
  if (columns.time === undefined) return { shopper, product, time: undefined }
  const text = textOf(cellOf(row, columns.time)).trim()
  const time = writtenTimeOf(text, timeFormat)
  if (time === undefined) return `${JSON.stringify(text)} is not a time`
  if (timesAre !== undefined && time.is !== timesAre)
    return `${JSON.stringify(text)} is a ${time.is}, and the first time a ${timesAre}`
  return { shopper, product, time }
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
