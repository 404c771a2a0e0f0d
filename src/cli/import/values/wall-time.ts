import { DAY_MS } from '../../../contract/fields/time.ts'

/** A time as it is written: the milliseconds of its clock, and the offset if it is written too. */
export interface WallTime {
  localMs: number
  /** Minutes east of UTC; undefined for a time without a zone. */
  offsetMinutes: number | undefined
}

/** The parts of a written time, as texts. Absent ones are undefined or ''. */
export interface TimeParts {
  year: string
  /** 1 to 12. */
  month: string | number
  day: string
  hour?: string | undefined
  minute?: string | undefined
  second?: string | undefined
  fraction?: string | undefined
  /** `a` of AM or `p` of PM. */
  half?: string | undefined
  offsetMinutes?: number | undefined
}

/** Two digits of a year stand for 1970 to 2069. */
const CENTURY_STARTS_AT = 70

/** Undefined when a part is out of range, e.g. February 30. */
export function wallTimeOf(parts: TimeParts): WallTime | undefined {
  const { year, month, day, minute = '0', second = '0', fraction = '', half, offsetMinutes } = parts
  const hour = hourOf(Number(parts.hour ?? '0'), half?.toLowerCase())
  if (hour === undefined || Number(minute) > 59 || Number(second) > 59) return undefined
  const date = new Date(0)
  // Date.UTC reads the year 26 as 1926.
  date.setUTCFullYear(fullYear(year), Number(month) - 1, Number(day))
  if (date.getUTCMonth() !== Number(month) - 1 || date.getUTCDate() !== Number(day)) return undefined
  const seconds = hour * 3_600 + Number(minute) * 60 + Number(second)
  return { localMs: date.getTime() + seconds * 1_000 + Number(fraction.padEnd(3, '0').slice(0, 3)), offsetMinutes }
}

/** The days of a spreadsheet, which start with 1 for 1900-01-01 and count a February 29, 1900. */
export function wallTimeOfSerial(days: number): WallTime {
  return { localMs: Math.round((days - 25_569) * DAY_MS), offsetMinutes: undefined }
}

function fullYear(text: string): number {
  const year = Number(text)
  if (text.length > 2) return year
  return year < CENTURY_STARTS_AT ? 2_000 + year : 1_900 + year
}

function hourOf(hour: number, half: string | undefined): number | undefined {
  if (half === undefined) return hour <= 23 ? hour : undefined
  if (hour < 1 || hour > 12) return undefined
  return (hour % 12) + (half === 'p' ? 12 : 0)
}
