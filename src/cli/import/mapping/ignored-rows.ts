import { addTo, type Counts, mostFirst } from './counts.ts'
import { cellOf, type Row, textOf } from '../source/row.ts'

/** Which rows of a file are no items, because other things are written to it too. */
export interface IgnoredForm {
  /** The field that no rule gives a value in such a row. */
  without: string
  /** The rows in a sentence: `of other event types`. */
  rows: string
  /** Columns that say what such a row is; the first one with a value counts. */
  by?: readonly string[]
}

/** Counts the rows that a preset leaves out, because they are no items. */
export interface IgnoredRows {
  /** The field that no rule gives a value in such a row. */
  without: string
  add: (row: Row) => void
  /** How many rows were left out, and what they were; undefined when there were none. */
  line: () => string | undefined
}

const NAMES_SHOWN_MAX = 5

export function createIgnoredRows(preset: string, { without, rows, by = [] }: IgnoredForm): IgnoredRows {
  const counts: Counts = new Map()
  let total = 0
  return {
    without,
    add: (row) => {
      total++
      const name = by.map((column) => textOf(cellOf(row, column))).find((text) => text !== '')
      if (name !== undefined) addTo(counts, name)
    },
    line: () =>
      total === 0
        ? undefined
        : `Left out by --preset ${preset}: ${total.toLocaleString('en')} row${total === 1 ? '' : 's'} ${rows}${namesOf(counts)}.`,
  }
}

/** The most frequent names with their counts. */
function namesOf(counts: ReadonlyMap<string, number>): string {
  if (counts.size === 0) return ''
  const names = mostFirst(counts)
  const shown = names.slice(0, NAMES_SHOWN_MAX).map(([name, count]) => `${name} (${count.toLocaleString('en')})`)
  const more = names.length - shown.length
  return `: ${shown.join(', ')}${more > 0 ? `, and ${more} more` : ''}`
}
