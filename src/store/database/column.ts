type Value = string | number | boolean

const ESCAPED = /["\\]/g

/**
 * One column of the rows as the literal of an array, because the client library replaces twice in every text of a list: a thousand
 * short texts take it 98 µs, and this function 54 µs. A column without any value is null, which unnest pads: most events have no metadata, and an array of a
 * thousand nulls costs as much as one of values.
 */
export function columnOf<Row>(rows: readonly Row[], valueOf: (row: Row) => Value | null): string | null {
  let [literal, hasValue] = ['', false]
  for (const row of rows) {
    const value = valueOf(row)
    hasValue ||= value !== null
    literal += `${literal === '' ? '{' : ','}${elementOf(value)}`
  }
  return hasValue ? `${literal}}` : null
}

/** Texts as the literal of an array. */
export function textArrayOf(texts: readonly string[]): string {
  return `{${texts.map(quoted).join(',')}}`
}

function elementOf(value: Value | null): string {
  if (value === null) return 'NULL'
  return typeof value === 'string' ? quoted(value) : String(value)
}

function quoted(text: string): string {
  // Most texts have nothing to escape, and to look for it costs less than to replace nothing.
  return text.includes('"') || text.includes('\\') ? `"${text.replaceAll(ESCAPED, String.raw`\$&`)}"` : `"${text}"`
}
