import { type Row, textOf } from '../source/row.ts'
import { type DecimalMark, numberOf } from '../values/number.ts'
import { type Cleaning, cleanCellOf } from './cell.ts'
import { UsageError } from '../../../main/config/start-error.ts'

export interface Condition {
  column: string
  /** In a sentence, for a condition that no option gives. */
  words?: string
  /** @param isNumber whether the text is a number of JSON, whatever the decimal mark of texts is */
  holds: (text: string, isNumber?: boolean) => boolean
}

const OPERATORS: Record<string, (cell: string, value: string, mark?: DecimalMark) => boolean> = {
  '=': (cell, value) => cell === value,
  '!=': (cell, value) => cell !== value,
  '^=': (cell, value) => cell.startsWith(value),
  '<': (cell, value, mark) => numberOf(cell, mark) < Number(value),
  '<=': (cell, value, mark) => numberOf(cell, mark) <= Number(value),
  '>': (cell, value, mark) => numberOf(cell, mark) > Number(value),
  '>=': (cell, value, mark) => numberOf(cell, mark) >= Number(value),
}

/** `COLUMN OP VALUE` or `COLUMN is [not] empty`, then ` and ` or the end. In quotes a column or a value may have any character. */
const TERM =
  /\s*(?:"([^"]+)"|([^"=<>!^]+?))\s*(?:(\^=|!=|<=|>=|=|<|>)\s*(?:"([^"]*)"|([^"=<>!^\s][^"]*?))|\bis\s+(not\s+)?empty)\s*(?:$|\s+and\s+)/y

/** Reads conditions joined by `and`. @throws UsageError that names their rule. */
export function conditionsOf(text: string, rule: string, mark?: DecimalMark): Condition[] {
  const conditions: Condition[] = []
  const term = new RegExp(TERM)
  while (term.lastIndex < text.length) {
    const match = term.exec(text)
    if (match === null) {
      throw new UsageError(
        `${rule}: a condition is COLUMN = VALUE (or != < <= > >= ^=) or COLUMN is [not] empty, joined by "and"; put names and values with special characters in double quotes.`,
      )
    }
    const [, quotedColumn, column, operator, quotedValue, value, not] = match
    const name = quotedColumn ?? column!.trim()
    conditions.push(
      operator === undefined
        ? { column: name, holds: (cell) => (cell === '') === (not === undefined) }
        : comparison(name, operator, quotedValue ?? value ?? '', { rule, mark }),
    )
  }
  return conditions
}

function comparison(
  column: string,
  operator: string,
  value: string,
  { rule, mark }: { rule: string; mark: DecimalMark | undefined },
): Condition {
  if (/[<>]/.test(operator) && Number.isNaN(numberOf(value))) {
    throw new UsageError(`${rule}: ${operator} compares numbers, and ${JSON.stringify(value)} is not a number.`)
  }
  const compare = OPERATORS[operator]!
  return { column, holds: (cell, isNumber) => compare(cell, value, isNumber ? undefined : mark) }
}

/** Whether all conditions hold for a row. */
export function allHold(conditions: readonly Condition[], row: Row, cleaning: Cleaning | undefined): boolean {
  return conditions.every(({ column, holds }) => {
    const cell = cleanCellOf(row, column, cleaning)
    return holds(textOf(cell), typeof cell === 'number')
  })
}
