/** Units of times since 1970. */
export const UNITS = ['s', 'ms', 'us', 'ns'] as const
export type Unit = (typeof UNITS)[number]

export const UNIT_NAMES: Readonly<Record<Unit, string>> = {
  s: 'seconds',
  ms: 'milliseconds',
  us: 'microseconds',
  ns: 'nanoseconds',
}

const PER_SECOND: Readonly<Record<Unit, number>> = { s: 1, ms: 1e3, us: 1e6, ns: 1e9 }
/** Earlier events are rejected, so that the units of 2000 to 2100 do not overlap, nor do they with a date such as 20260301. */
const FIRST_SECOND = Date.UTC(2000) / 1_000
const LAST_SECOND = Date.UTC(2100) / 1_000

/** The unit in which a number is a time from 2000 to 2100; undefined when there is none. */
export function unitOf(whole: string): Unit | undefined {
  const number = Number(whole)
  return UNITS.find((unit) => number >= FIRST_SECOND * PER_SECOND[unit] && number < LAST_SECOND * PER_SECOND[unit])
}

/** Digits before and after the point as milliseconds; finer digits are cut off. */
export function millisecondsIn(unit: Unit, whole: string, fraction: string): number {
  if (unit === 's') return Number(whole) * 1_000 + Number(fraction.padEnd(3, '0').slice(0, 3))
  // A double does not have all digits of nanoseconds.
  return Number(whole.slice(0, whole.length - { ms: 0, us: 3, ns: 6 }[unit]))
}
