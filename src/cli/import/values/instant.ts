import { instantOf } from '../../../contract/fields/time.ts'
import { millisecondsIn, type Unit, unitOf } from './epoch.ts'
import type { Observations } from './observations.ts'
import type { ToUtc } from './time-zone.ts'
import { needsOrder, readForms } from './time-forms.ts'
import { unreadable, type Unreadable } from './unreadable.ts'
import { type WallTime, wallTimeOf, wallTimeOfSerial } from './wall-time.ts'
import { UsageError } from '../../../main/config/start-error.ts'

export const TIME_FORMATS = ['dmy', 'mdy', 'excel'] as const

/** How to read times that lack a zone, a unit or an order. */
export interface TimeReading {
  /** The unit of plain numbers since 1970; without it the size shows the unit. */
  unit?: Unit | undefined
  /** The order of dates whose year is last, or plain numbers as days of a spreadsheet. */
  format?: (typeof TIME_FORMATS)[number] | undefined
  /** Minutes east of UTC, for times without a zone. */
  offsetMinutes: number
  /** Converts times without a zone, instead of `offsetMinutes`. */
  toUtc?: ToUtc | undefined
  /** The zone of `toUtc`, for sentences. */
  zoneName?: string | undefined
  observed?: Observations | undefined
}

const MINUTE_MS = 60_000
/** The last instant of RFC 3339, whose years have four digits. */
const LATEST_MS = Date.UTC(9999, 11, 31, 23, 59, 59, 999)
const TEXT =
  /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?)?(?:\s*(?:(Z|UTC|GMT)|([+-])(\d\d)(?::?(\d\d))?(?:\s+(?:[A-Z]{1,5}|[+-]\d\d(?:\d\d)?))?)(?:\[[^\]]*\])?)?$/i
const NUMBER = /^(\d+)(?:[.,](\d+))?$/
const OFFSET = /^([+-])(\d\d)(?::?(\d\d))?$/
/** Years with more digits would be epoch numbers. */
const SERIAL_MAX = 100_000

/** Converts a time to RFC 3339 in UTC with milliseconds; finer digits are cut off. */
export function readInstant(cell: string, reading: TimeReading): string | Unreadable {
  const text = cell.trim()
  const match = TEXT.exec(text)
  const milliseconds = match !== null ? utcOf(fromParts(match), reading) : fromOther(text, reading)
  if (milliseconds !== undefined && milliseconds >= 0 && milliseconds <= LATEST_MS) return instantOf(milliseconds)
  return unreadable(cell, `is not a time${hintOf(text, reading)}`)
}

/** `+02:00`, `-0330` or `Z` as minutes east of UTC. @throws UsageError */
export function offsetMinutesOf(text: string): number {
  if (text === 'Z') return 0
  const [, sign, hours, minutes = '00'] = OFFSET.exec(text) ?? []
  if (sign === undefined || Number(hours) > 23 || Number(minutes) > 59) {
    throw new UsageError(`--utc-offset ${text}: an offset is +HH:MM, -HH:MM or Z.`)
  }
  return minutesOf(sign, hours!, minutes)
}

/** Numbers since 1970, days of a spreadsheet, and the forms of other programs. */
function fromOther(text: string, reading: TimeReading): number | undefined {
  const { unit, format, observed } = reading
  const [, whole, fraction = ''] = NUMBER.exec(text) ?? []
  if (whole === undefined) return utcOf(readForms(text, format === 'excel' ? undefined : format), reading)
  if (unit !== undefined) return millisecondsIn(unit, whole, fraction)
  if (format === 'excel' && Number(whole) < SERIAL_MAX) return utcOf(wallTimeOfSerial(Number(`${whole}.${fraction}`)), reading)
  const found = unitOf(whole)
  if (found === undefined) return utcOf(readForms(text, undefined), reading)
  observed?.addUnit(found)
  return millisecondsIn(found, whole, fraction)
}

function utcOf(time: WallTime | undefined, { offsetMinutes, toUtc, observed }: TimeReading): number | undefined {
  if (time === undefined) return undefined
  if (time.offsetMinutes !== undefined) return time.localMs - time.offsetMinutes * MINUTE_MS
  observed?.addTimeWithoutZone()
  return toUtc === undefined ? time.localMs - offsetMinutes * MINUTE_MS : toUtc(time.localMs)
}

/** Undefined when a part is out of range, e.g. February 30. */
function fromParts(match: RegExpExecArray): WallTime | undefined {
  const [, year = '', month = '', day = '', hour, minute, second, fraction, utc, sign, hours = '00', minutes = '00'] = match
  if (hours > '23' || minutes > '59') return undefined
  const offsetMinutes = sign !== undefined ? minutesOf(sign, hours, minutes) : utc !== undefined ? 0 : undefined
  return wallTimeOf({ year, month, day, hour, minute, second, fraction, offsetMinutes })
}

function minutesOf(sign: string, hours: string, minutes: string): number {
  return (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes))
}

function hintOf(text: string, { unit, format }: TimeReading): string {
  if (needsOrder(text)) {
    return format === 'dmy' || format === 'mdy'
      ? ` in the order ${format}`
      : ' (give --time-format dmy if its day is first, mdy if its month is first)'
  }
  if (!NUMBER.test(text) || unit !== undefined) return ''
  if (format === 'excel') return ' (the days of a spreadsheet count from 1900, and those before 25569 are before 1970)'
  return ' (give --time-format excel for days of a spreadsheet, or --time-unit for a time since 1970)'
}
