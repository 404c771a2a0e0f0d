/** Milliseconds since 1970 as RFC 3339 in UTC, with milliseconds. */
export function instantOf(milliseconds: number): string {
  return new Date(milliseconds).toISOString()
}

/** An RFC 3339 time as milliseconds since 1970; finer digits are cut off. */
export function millisecondsOf(instant: string): number {
  return Date.parse(instant.toUpperCase())
}
