import { cellOf, type Row, textOf } from './row.ts'
import { StartError } from '../../main/config/start-error.ts'

export interface Condition {
  column: string
  holds: (text: string) => boolean
}

const OPERATORS: Record<string, (cell: string, value: string) => boolean> = {
  '=': (cell, value) => cell === value,
  '!=': (cell, value) => cell !== value,
  '^=': (cell, value) => cell.startsWith(value),
  '<': (cell, value) => numberOf(cell) < Number(value),
  '<=': (cell, value) => numberOf(cell) <= Number(value),
  '>': (cell, value) => numberOf(cell) > Number(value),
  '>=': (cell, value) => numberOf(cell) >= Number(value),
}

/** `COLUMN OP VALUE` or `COLUMN is [not] empty`, then ` and ` or the end. In quotes a column or a value may have any character. */
const TERM =
  /\s*(?:"([^"]+)"|([^"=<>!^]+?))\s*(?:(\^=|!=|<=|>=|=|<|>)\s*(?:"([^"]*)"|([^"=<>!^\s][^"]*?))|\bis\s+(not\s+)?empty)\s*(?:$|\s+and\s+)/y

/** Reads conditions joined by `and`. @throws StartError that names their rule. */
export function conditionsOf(text: string, rule: string): Condition[] {
  const conditions: Condition[] = []
  const term = new RegExp(TERM)
  while (term.lastIndex < text.length) {
    const match = term.exec(text)
    if (match === null) {
      throw new StartError(
        `${rule}: a condition is COLUMN = VALUE (or != < <= > >= ^=) or COLUMN is [not] empty, joined by "and"; put names and values with special characters in double quotes.`,
      )
    }
    const [, quotedColumn, column, operator, quotedValue, value, not] = match
    conditions.push(conditionOf(quotedColumn ?? column!.trim(), operator, quotedValue ?? value ?? '', not !== undefined, rule))
  }
  return conditions
}

function conditionOf(column: string, operator: string | undefined, value: string, not: boolean, rule: string): Condition {
  if (operator === undefined) return { column, holds: (cell) => (cell === '') !== not }
  if (/[<>]/.test(operator) && Number.isNaN(numberOf(value))) {
    throw new StartError(`${rule}: ${operator} compares numbers, and ${JSON.stringify(value)} is not a number.`)
  }
  const compare = OPERATORS[operator]!
  return { column, holds: (cell) => compare(cell, value) }
}

/** Whether all conditions hold for a row. */
export function allHold(conditions: readonly Condition[], row: Row): boolean {
  return conditions.every(({ column, holds }) => holds(textOf(cellOf(row, column))))
}

/** NaN for an empty cell, which `Number` would make 0. */
function numberOf(text: string): number {
  return text.trim() === '' ? Number.NaN : Number(text)
}
