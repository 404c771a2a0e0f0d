import { DAY_MS, isTimeZone } from '../../../contract/fields/time.ts'
import { UsageError } from '../../../main/config/start-error.ts'

/** Days whose offsets are kept, e.g. 27 years. */
const DAYS_MAX = 10_000

/** Converts local times, written as the milliseconds of the same clock in UTC, to milliseconds since 1970. */
export type ToUtc = (localMs: number) => number

/**
 * The local time of an IANA zone. A time that a clock skips is read with the offset of before, so it comes as much later as the
 * clock skips; a time that occurs twice is the first of both. Temporal calls this rule `compatible`.
 * @throws UsageError
 */
export function toUtcIn(name: string): ToUtc {
  if (!isTimeZone(name)) throw new UsageError(`--time-zone ${name}: a time zone is UTC or a name such as Europe/Berlin.`)
  const offsetAt = offsetsOf(name)
  // Asking for an offset costs some microseconds, and the rows of a file are in few days.
  const offsets = new Map<number, number>()
  const offsetOnDay = (day: number) => {
    let offset = offsets.get(day)
    if (offset !== undefined) return offset
    if (offsets.size >= DAYS_MAX) offsets.clear()
    offsets.set(day, (offset = offsetAt(day * DAY_MS)))
    return offset
  }
  return (localMs) => {
    // Zones are at most 14 hours from UTC, so a change of the offset near the local time is between these days.
    const day = Math.floor(localMs / DAY_MS)
    const before = offsetOnDay(day - 1)
    const after = offsetOnDay(day + 2)
    if (before === after || offsetAt(localMs - before) === before) return localMs - before
    return offsetAt(localMs - after) === after ? localMs - after : localMs - before
  }
}

/** The offset of a zone at an instant, in milliseconds east of UTC. */
function offsetsOf(timeZone: string): (instantMs: number) => number {
  const clock = new Intl.DateTimeFormat('en-US', {
    timeZone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  })
  return (instantMs) => {
    const parts = Object.fromEntries(clock.formatToParts(instantMs).map(({ type, value }) => [type, Number(value)]))
    const { year, month, day, hour, minute, second } = parts as Record<string, number>
    return Date.UTC(year!, month! - 1, day, hour, minute, second) - Math.floor(instantMs / 1_000) * 1_000
  }
}
