import type { RowRejection } from './mapping/row-rejection.ts'

/** Counts refused rows by field and reason. */
export interface Refusals {
  /** With `line`, the lines of the output name the line of the first such row. */
  add: (refused: readonly (RowRejection & { line?: number })[]) => void
  /** A line for each of the most frequent reasons, with the first value that was refused. */
  lines: (linesMax: number) => string[]
  /** How many reasons there are, up to a bound. */
  count: () => number
}

interface Counted {
  count: number
  example: string
  line: number | undefined
}

/** The value that a reason begins with, e.g. in `"free" is not a price`. */
const VALUE = /^"(?:[^"\\]|\\.)*" /
/** Reasons that differ in numbers alone are one, e.g. how far a time is in the future. */
const NUMBER = /\d+/g
/** Reasons of the receiver may contain a value anywhere, so their number is bounded. */
const REASONS_MAX = 1_000

export function createRefusals(): Refusals {
  const counts = new Map<string, Counted>()
  return {
    add: (refused) => {
      for (const { field, reason, line } of refused) {
        const key = `${field ?? ''}: ${reason.replace(VALUE, '').replaceAll(NUMBER, '0')}`
        const known = counts.get(key)
        if (known !== undefined) known.count++
        else if (counts.size < REASONS_MAX)
          counts.set(key, { count: 1, example: field === null ? reason : `${field}: ${reason}`, line })
      }
    },
    lines: (linesMax) =>
      Array.from(counts.values())
        .sort((a, b) => b.count - a.count)
        .slice(0, linesMax)
        .map(lineOf),
    count: () => counts.size,
  }
}

function lineOf({ count, example, line }: Counted): string {
  const where = line === undefined ? '' : ` (${count === 1 ? '' : 'first on '}line ${line})`
  return `${count.toLocaleString('en')} × ${example}${where}`
}
