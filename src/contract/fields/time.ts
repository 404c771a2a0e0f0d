export const HOUR_MS = 3_600_000
export const DAY_MS = 24 * HOUR_MS

/** The last hour of which instantOf was asked, and its text: events that come together are mostly of one hour. */
let hour = Number.NaN
let hourText = ''
const TWO_DIGITS = Array.from({ length: 60 }, (_, n) => String(n).padStart(2, '0'))

/** Milliseconds since 1970 as RFC 3339 in UTC, with milliseconds. */
export function instantOf(milliseconds: number): string {
  const whole = Math.trunc(milliseconds)
  const ofHour = Math.floor(whole / HOUR_MS)
  if (ofHour !== hour) {
    hourText = new Date(ofHour * HOUR_MS).toISOString().slice(0, -'00:00.000Z'.length)
    hour = ofHour
  }
  const ms = whole - hour * HOUR_MS
  const seconds = Math.floor(ms / 1_000)
  const rest = String(ms - seconds * 1_000).padStart(3, '0')
  return `${hourText}${TWO_DIGITS[Math.floor(seconds / 60)]}:${TWO_DIGITS[seconds % 60]}.${rest}Z`
}

/** An RFC 3339 time in milliseconds since 1970. Finer digits are cut off. */
export function millisecondsOf(instant: string): number {
  return Date.parse(instant.toUpperCase())
}

/** Events before this instant are rejected, because such a time is a mistake. */
export const EARLIEST_MS = millisecondsOf('2000-01-01T00:00:00Z')

const UNITS = [
  ['days', DAY_MS],
  ['h', HOUR_MS],
  ['min', 60_000],
  ['s', 1_000],
] as const

/** A length of time in its two largest units, rounded down, e.g. `3 h 20 min`, `12 days` or `0 s`. */
export function spanInWords(milliseconds: number): string {
  const first = UNITS.findIndex(([, unitMs]) => milliseconds >= unitMs)
  const [name, unitMs] = UNITS[first] ?? UNITS[3]
  const count = Math.floor(milliseconds / unitMs)
  const [nextName, nextMs] = UNITS[first + 1] ?? []
  const next = first < 0 || nextMs === undefined ? 0 : Math.floor((milliseconds - count * unitMs) / nextMs)
  const words = `${count} ${count === 1 && name === 'days' ? 'day' : name}`
  return next === 0 ? words : `${words} ${next} ${nextName}`
}

/** How many days a range has when a request names its last day alone, or nothing. */
export const RANGE_DAYS_DEFAULT = 30

/**
 * Whether a text names an IANA time zone. The only name without a slash is UTC, because PostgreSQL takes abbreviations such as CET
 * for a constant offset, and inverts the sign of a bare offset.
 */
export function isTimeZone(name: string): boolean {
  if (name === 'UTC') return true
  if (!/^[A-Z][A-Za-z_]+(\/[A-Za-z0-9_+-]+){1,2}$/.test(name)) return false
  try {
    Intl.DateTimeFormat('en', { timeZone: name })
    return true
  } catch {
    return false
  }
}
