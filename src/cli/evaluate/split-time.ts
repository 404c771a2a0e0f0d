import { DAY_MS } from '../../contract/fields/time.ts'
import { UsageError } from '../../main/config/start-error.ts'
import { readInstant, type TimeReading } from '../import/values/instant.ts'

/** A time as it was written: a plain number of any unit, or another form, in milliseconds since 1970. */
export interface WrittenTime {
  is: 'number' | 'date'
  value: number
}

/** How the times of a file, or of the log, are written. */
export interface FileTimes {
  is: WrittenTime['is']
  /** One of them, which shows the unit. */
  example: number
  format: TimeReading['format']
}

type TimeFormat = TimeReading['format']

/** A plain number as it is, whatever its unit, because only the order counts; any other form of a time in milliseconds. */
export function writtenTimeOf(text: string, format?: TimeFormat): WrittenTime | undefined {
  if (/^-?\d+(?:\.\d+)?(?:e[+-]?\d+)?$/i.test(text)) return { is: 'number', value: Number(text) }
  const instant = readInstant(text, { offsetMinutes: 0, format })
  return typeof instant === 'string' ? { is: 'date', value: Date.parse(instant) } : undefined
}

/** The day that a spreadsheet numbers as 0 is so many days before 1970. */
const SERIAL_OF_1970 = 25_569
/** Greater numbers are no days, but times since 1970. */
const SERIAL_MAX = 100_000
/** Milliseconds in a unit of time: seconds, milliseconds, microseconds and nanoseconds since 1970. */
const UNITS = [1_000, 1, 1e-3, 1e-6]
/** From 1973 to 2100 the numbers of two units do not overlap, nor do they with a date such as 20260301. */
const [FIRST_MS, LAST_MS] = [1e11, Date.UTC(2100)]

interface Clock {
  toMs: (value: number) => number
  fromMs: (ms: number) => number
}

function clockOf({ is, example, format }: FileTimes): Clock | undefined {
  if (is === 'date') return clockIn(1)
  if (format === 'excel' && example < SERIAL_MAX)
    return { toMs: (days) => (days - SERIAL_OF_1970) * DAY_MS, fromMs: (ms) => ms / DAY_MS + SERIAL_OF_1970 }
  const unit = UNITS.find((unit) => example * unit >= FIRST_MS && example * unit < LAST_MS)
  return unit === undefined ? undefined : clockIn(unit)
}

const clockIn = (unit: number): Clock => ({ toMs: (value) => value * unit, fromMs: (ms) => ms / unit })

/**
 * The time of an option in the unit of the file's times.
 * @throws UsageError when it is no time, or its unit or that of the file is not known
 */
export function splitTimeOf(option: string, text: string, times: FileTimes): number {
  const written = writtenTimeOf(text, times.format)
  if (written === undefined) throw new UsageError(`${option} ${text}: it is no time as in the file. A date is 2026-03-01.`)
  const from = written.is === 'date' ? clockIn(1) : clockOf({ ...times, is: 'number', example: written.value })
  const to = clockOf(times)
  if (from !== undefined && to !== undefined) return to.fromMs(from.toMs(written.value))
  if (written.is === times.is) return written.value
  const [given, wanted] = written.is === 'date' ? ['a date', `a number such as ${times.example}`] : ['a number', 'a date']
  throw new UsageError(`${option} ${text}: it is ${given}, and the times of the events are not. Give ${wanted}.`)
}
