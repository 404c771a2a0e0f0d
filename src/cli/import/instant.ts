import { instantOf } from '../../contract/fields/time.ts'
import { Unreadable } from './unreadable.ts'
import { StartError } from '../../main/config/start-error.ts'

/** How to read times that lack a zone or a unit. */
export interface TimeReading {
  /** The unit of plain numbers since 1970; without it a number is no time. */
  unit?: 's' | 'ms' | undefined
  /** Minutes east of UTC, for times without a zone. */
  offsetMinutes: number
}

const MINUTE_MS = 60_000
/** The last instant of RFC 3339, whose years have four digits. */
const LATEST_MS = Date.UTC(9999, 11, 31, 23, 59, 59, 999)
const TEXT =
  /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?)?(?:\s*(?:(Z|UTC|GMT)|([+-])(\d\d)(?::?(\d\d))?))?$/i
const NUMBER = /^(\d+)(?:\.(\d+))?$/
const OFFSET = /^([+-])(\d\d)(?::?(\d\d))?$/

/** Converts a time to RFC 3339 in UTC with milliseconds; finer digits are cut off. */
export function readInstant(cell: string, reading: TimeReading): string | Unreadable {
  const text = cell.trim()
  const match = TEXT.exec(text)
  const milliseconds = match === null ? sinceEpoch(text, reading.unit) : fromParts(match, reading.offsetMinutes)
  if (milliseconds !== undefined && milliseconds >= 0 && milliseconds <= LATEST_MS) return instantOf(milliseconds)
  const hint = reading.unit === undefined && NUMBER.test(text) ? ' (for seconds or milliseconds since 1970 give --time-unit)' : ''
  return new Unreadable(`${JSON.stringify(cell.slice(0, 100))} is not a time${hint}`)
}

/** `+02:00`, `-0330` or `Z` as minutes east of UTC. @throws StartError */
export function offsetMinutesOf(text: string): number {
  if (text === 'Z') return 0
  const [, sign, hours, minutes = '00'] = OFFSET.exec(text) ?? []
  if (sign === undefined || Number(hours) > 23 || Number(minutes) > 59) {
    throw new StartError(`--utc-offset ${text}: an offset is +HH:MM, -HH:MM or Z.`)
  }
  return minutesOf(sign, hours!, minutes)
}

function sinceEpoch(text: string, unit: TimeReading['unit']): number | undefined {
  const [, whole, fraction = ''] = NUMBER.exec(text) ?? []
  if (whole === undefined || unit === undefined) return undefined
  return unit === 'ms' ? Number(whole) : Number(whole) * 1_000 + Number(fraction.padEnd(3, '0').slice(0, 3))
}

/** Undefined when a part is out of range, e.g. February 30. */
function fromParts(match: RegExpExecArray, defaultOffsetMinutes: number): number | undefined {
  const [, year, month, day, hour = '00', minute = '00', second = '00', fraction = '', utc, sign, hours = '00', minutes = '00'] =
    match
  if (hour > '23' || minute > '59' || second > '59' || hours > '23' || minutes > '59') return undefined
  const midnight = new Date(`${year}-${month}-${day}T00:00:00Z`).getTime()
  if (Number.isNaN(midnight) || new Date(midnight).getUTCDate() !== Number(day)) return undefined
  const seconds = Number(hour) * 3_600 + Number(minute) * 60 + Number(second)
  const offsetMinutes = sign !== undefined ? minutesOf(sign, hours, minutes) : utc !== undefined ? 0 : defaultOffsetMinutes
  return midnight + seconds * 1_000 + Number(fraction.padEnd(3, '0').slice(0, 3)) - offsetMinutes * MINUTE_MS
}

function minutesOf(sign: string, hours: string, minutes: string): number {
  return (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes))
}
