import { type Line, problemOf } from './line.ts'
import type { BrokenRow, Row } from './row.ts'
import { toWritable, UNWRITABLE_MESSAGE } from '../../../contract/fields/json.ts'

/** An integer of sixteen digits may be beyond 2^53, and a JavaScript number would change it. */
const LONG_NUMBER = /\d{16}/
/** Programs in Python write them. */
const NO_NUMBER = /[:[,]\s*-?(?:NaN|Infinity)\s*[,\]}]/

/**
 * A text as a row: its keys are the columns, sorted, because objects that differ only in the order of their keys are the same row.
 */
export function jsonRowOf({ number: line, text }: Pick<Line, 'number' | 'text'>): Row | BrokenRow {
  const reason = problemOf(text)
  if (reason !== undefined) return { line, reason, text }
  const value = parsedJson(text)
  if (value === undefined)
    return {
      line,
      reason: `is not JSON${NO_NUMBER.test(text) ? ' (NaN and Infinity are no values of JSON: write null)' : ''}`,
      text,
    }
  if (!isObject(value)) return { line, reason: 'is not a JSON object', text }
  if (toWritable(value) !== value) return { line, reason: UNWRITABLE_MESSAGE, text }
  const columns = Object.keys(value).sort()
  return { line, columns, cells: columns.map((column) => value[column]) }
}

/** Whether a text is one JSON object. */
export function isJsonObject(text: string): boolean {
  return isObject(parsedJson(text))
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The value of a text of JSON, in which long integers are texts; undefined for another text. */
export function parsedJson(text: string): unknown {
  try {
    return LONG_NUMBER.test(text) ? JSON.parse(text, keepDigits) : JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Keeps integers beyond 2^53 as texts, because 64-bit ids are common and two ids must not become the same number. */
function keepDigits(_key: string, value: unknown, context?: { source?: string }): unknown {
  const source = context?.source
  const isLong = typeof value === 'number' && source !== undefined && /^-?\d+$/.test(source) && !Number.isSafeInteger(value)
  return isLong ? source : value
}
