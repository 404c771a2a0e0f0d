/** How a field of a line is stored. Numbers and times keep every digit; `json` is a text of JSON. */
export type ColumnType = 'text' | 'json' | 'instant' | 'integer' | 'boolean'

export interface Column {
  name: string
  type: ColumnType
  /** A field that a line is without when its value is null. */
  isLeftOut?: boolean
}

/** A value as Parquet has it: times as microseconds since 1970. */
export type Value = string | bigint | boolean | null

/** A number of JSON as it was written, because a number of JavaScript has 53 bits. */
interface Raw {
  rawJSON: string
}
const exact = JSON as typeof JSON & { rawJSON: (text: string) => Raw }
type Reviver = (key: string, value: unknown, context: { source: string }) => unknown
const keepNumbers: Reviver = (_key, value, { source }) => (typeof value === 'number' ? exact.rawJSON(source) : value)

/** The values of a line, in the order of the columns. */
export function valuesOf(line: string, columns: readonly Column[]): Value[] {
  const row = JSON.parse(line, keepNumbers as never) as Record<string, unknown>
  return columns.map(({ name, type }) => valueOf(row[name] ?? null, type))
}

function valueOf(value: unknown, type: ColumnType): Value {
  if (value === null) return null
  if (type === 'json') return JSON.stringify(value)
  if (type === 'integer') return BigInt((value as Raw).rawJSON)
  return type === 'instant' ? microsecondsOf(value as string) : (value as string | boolean)
}

/** The line of a row of values. */
export function lineOfValues(values: readonly (Value | undefined)[], columns: readonly Column[]): string {
  const fields = columns.flatMap(({ name, type, isLeftOut }, n) => {
    const value = values[n] ?? null
    return value === null && isLeftOut ? [] : [`${JSON.stringify(name)}:${textOf(value, type)}`]
  })
  return `{${fields.join(',')}}`
}

function textOf(value: Value, type: ColumnType): string {
  if (value === null) return 'null'
  if (type === 'text') return JSON.stringify(value)
  return type === 'instant' ? JSON.stringify(instantOfMicroseconds(value as bigint)) : String(value)
}

const SECOND = 1_000_000n
const SECOND_DIGITS = 6
const SECONDS_CHARACTERS = '2026-01-01T00:00:00'.length

/** Of a time in UTC as PostgreSQL writes it, e.g. 2026-01-01T00:00:00.123456+00:00. */
function microsecondsOf(text: string): bigint {
  const fraction = /^\.(\d{1,6})\+00:00$|^\+00:00$/.exec(text.slice(SECONDS_CHARACTERS))
  const ms = Date.parse(`${text.slice(0, SECONDS_CHARACTERS)}Z`)
  if (fraction === null || Number.isNaN(ms)) throw new Error('a line has what is no time in UTC')
  return BigInt(ms) * 1_000n + BigInt((fraction[1] ?? '').padEnd(SECOND_DIGITS, '0'))
}

function instantOfMicroseconds(microseconds: bigint): string {
  const fraction = ((microseconds % SECOND) + SECOND) % SECOND
  const seconds = new Date(Number((microseconds - fraction) / 1_000n)).toISOString().slice(0, SECONDS_CHARACTERS)
  return `${seconds}.${String(fraction).padStart(SECOND_DIGITS, '0')}+00:00`
}
