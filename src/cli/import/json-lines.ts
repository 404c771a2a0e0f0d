import { type Line, problemOf } from './line.ts'
import type { BrokenRow, Row } from './row.ts'
import { UNWRITABLE_MESSAGE } from '../../contract/json.ts'
import { toWritable } from '../../contract/json.ts'

/** Reads one JSON object per line; its keys are the columns. Blank lines are skipped. */
export async function* jsonRows(lines: AsyncIterable<Line[]>): AsyncGenerator<(Row | BrokenRow)[]> {
  for await (const chunk of lines) {
    yield chunk.filter(({ text }) => text.trim() !== '').map(rowOf)
  }
}

/** The keys are put in order, because two objects that differ in it alone are the same row. */
function rowOf({ number: line, text }: Line): Row | BrokenRow {
  const reason = problemOf(text)
  if (reason !== undefined) return { line, reason, text }
  const value = parse(text)
  if (value === undefined) return { line, reason: 'is not JSON', text }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return { line, reason: 'is not a JSON object', text }
  if (toWritable(value) !== value) return { line, reason: UNWRITABLE_MESSAGE, text }
  const columns = Object.keys(value).sort()
  return { line, columns, cells: columns.map((column) => (value as Record<string, unknown>)[column]) }
}

/** Sixteen digits in a row may be an integer beyond 2^53, which a JavaScript number would change. */
const LONG_NUMBER = /\d{16}/

function parse(text: string): unknown {
  try {
    return LONG_NUMBER.test(text) ? JSON.parse(text, keepDigits) : JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Integers beyond 2^53 stay texts: ids of 64 bits are common, and two of them must not become one. */
function keepDigits(_key: string, value: unknown, context?: { source?: string }): unknown {
  const source = context?.source
  const isLong = typeof value === 'number' && source !== undefined && /^-?\d+$/.test(source) && !Number.isSafeInteger(value)
  return isLong ? source : value
}
