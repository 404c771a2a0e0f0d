import { invalidField } from '../contract/decided-error.ts'
import { DAY_MS, EARLIEST_MS, HOUR_MS, instantOf, RANGE_DAYS_DEFAULT } from '../contract/fields/time.ts'

/** A day as `2026-03-01`, of UTC unless a time zone is named. */
export type Day = string

/** Whole days, the last one included. */
export interface Days {
  from: Day
  to: Day
}

/** The first and the last day that a request can name. */
const DAY_MIN = dayOf(EARLIEST_MS)
const DAY_MAX = '2100-12-31'

/** The UTC day of an instant. */
export function dayOf(milliseconds: number): Day {
  return instantOf(milliseconds).slice(0, 10)
}

export function daysAfter(day: Day, count: number): Day {
  return dayOf(startOf(day) + count * DAY_MS)
}

export function daysBefore(day: Day, count: number): Day {
  return daysAfter(day, -count)
}

/** How many days a range has. */
export function daysIn({ from, to }: Days): number {
  return (startOf(to) - startOf(from)) / DAY_MS + 1
}

/** When a UTC day begins, in milliseconds since 1970. */
export function startOf(day: Day): number {
  return Date.parse(`${day}T00:00:00Z`)
}

/** The last instant, not after the given one, at which this hour of UTC began. */
export function lastHourOfDay(hour: number, milliseconds: number): number {
  const ofDay = startOf(dayOf(milliseconds)) + hour * HOUR_MS
  return ofDay <= milliseconds ? ofDay : ofDay - DAY_MS
}

interface RangeRequest {
  /** The first day; 29 days before the last one when undefined. */
  from: Day | undefined
  /** The last day; today when undefined. */
  to: Day | undefined
  today: Day
  daysMax?: number
}

/** What callers call the ends of a range. A range with too many days is reported at `tooLong`, which is `from` when undefined. */
interface RangeNames {
  from: string
  to: string
  tooLong?: string
}

/** The days of a request. @throws DecidedError (invalid_request) that names the wrong end. */
export function checkedRange(request: RangeRequest, names: RangeNames): Days {
  const { today, daysMax = Infinity } = request
  for (const end of ['from', 'to'] as const) {
    const day = request[end]
    if (day !== undefined && (day < DAY_MIN || day > DAY_MAX))
      throw invalidField(names[end], `must be from ${DAY_MIN} to ${DAY_MAX}`)
  }
  const to = request.to ?? today
  const from = request.from ?? daysBefore(to, RANGE_DAYS_DEFAULT - 1)
  if (from > to) throw invalidField(names.from, `must not be after the last day, which is ${to}`)
  const days = daysIn({ from, to })
  if (days > daysMax)
    throw invalidField(names.tooLong ?? names.from, `makes a range of ${days} days, and at most ${daysMax} are possible`)
  return { from, to }
}
