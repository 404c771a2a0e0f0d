/** A timestamptz as JSON: RFC 3339 in UTC, with milliseconds. */
export function utc(column: string): string {
  return String.raw`to_char(${column}, '\"YYYY-MM-DD"T"HH24:MI:SS.MS"Z"\"')`
}
